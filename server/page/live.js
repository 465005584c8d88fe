/** Classifies what the camera sees, frame after frame, as fast as answers come. */

import { $, clearPhoto, element, showProbabilities, showProblem, showTimes } from "./view.js";

/** Shows the button where there is a camera; `onStart` is called before the first frame. */
export function setUpLive({ device, ready, onStart }) {
  const devices = navigator.mediaDevices;
  if (!devices?.getUserMedia) return; // also the case on pages that did not come over a secure connection
  const button = $("live"), video = element("video", { id: "live-video", muted: true, playsInline: true });
  video.setAttribute("aria-label", "What the camera sees");
  let stream;

  const stop = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = undefined;
    video.remove();
    button.textContent = "Live camera";
    button.setAttribute("aria-pressed", "false");
    if (!$("photo").getAttribute("src")) clearPhoto();
  };

  const start = async () => {
    onStart();
    await ready;
    stream = await devices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 640 } } });
    video.srcObject = stream;
    await video.play();
    clearPhoto();
    $("frame").removeAttribute("data-empty");
    $("frame").style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
    $("picture").append(video);
    button.textContent = "Stop the camera";
    button.setAttribute("aria-pressed", "true");
    void follow(stream);
  };

  /** One frame at a time: a slow device sees fewer of them, not later ones. */
  const follow = async (watched) => {
    let told;
    while (stream === watched) {
      await new Promise((resolve) =>
        video.requestVideoFrameCallback?.(resolve) ?? requestAnimationFrame(resolve)
      );
      if (stream !== watched) return;
      const started = performance.now();
      try {
        const answer = await device.classify(await createImageBitmap(video));
        if (stream !== watched) return;
        showProbabilities(answer);
        showTimes(answer.milliseconds, performance.now() - started);
        const text = answer.class ?? "Unknown";
        if (text !== told) $("announcement").textContent = told = text;
      } catch (error) {
        if (stream === watched) fail(error);
      }
    }
  };

  const fail = (error) => {
    stop();
    showProblem(error.name === "NotAllowedError" ? new Error("The camera may not be used.") : error);
  };

  button.hidden = false;
  button.addEventListener("click", () => stream ? stop() : start().catch(fail));
  document.addEventListener("visibilitychange", () => document.hidden && stream && stop());
  $("photo").addEventListener("load", () => stream && stop()); // a photo takes its place
}
