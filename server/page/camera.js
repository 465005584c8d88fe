/** Takes a photo with the device's camera. */

const $ = (id) => document.getElementById(id);

/** Shows the camera's button where there is one, and hands each photo taken to `onPhoto`. */
export function setUpCamera(onPhoto) {
  const devices = navigator.mediaDevices;
  if (!devices?.getUserMedia) return; // also the case on pages that did not come over a secure connection
  const dialog = $("camera");
  const video = $("video");
  let stream;
  let facing = "environment";

  const stop = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  };

  const start = async () => {
    stop();
    stream = await devices.getUserMedia({ video: { facingMode: facing, width: { ideal: 1280 } } });
    video.srcObject = stream;
    await video.play();
    const cameras = (await devices.enumerateDevices()).filter((device) => device.kind === "videoinput");
    $("turn").hidden = cameras.length < 2;
  };

  const fail = (error) => {
    dialog.close();
    $("problem").hidden = false;
    $("problem").textContent = `The camera cannot be used: ${error.message}`;
  };

  $("open-camera").hidden = false;
  $("open-camera").addEventListener("click", () => {
    dialog.showModal();
    start().catch(fail);
  });
  $("turn").addEventListener("click", () => {
    facing = facing === "environment" ? "user" : "environment";
    start().catch(fail);
  });
  $("close-camera").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", stop);
  $("shoot").addEventListener("click", () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob(
      (blob) => {
        dialog.close();
        if (blob) onPhoto(new File([blob], "camera.jpg", { type: "image/jpeg" }));
      },
      "image/jpeg",
      0.92,
    );
  });
}
