/**
 * Photos on a report's page: mistakes, doubts, training samples, filters.
 * @module
 */
import type { Example, Examples } from "./examples.ts";
import { type Html, html, percent, type Section } from "./markup.ts";

/** Pictures of what a network saw and learnt, as data URLs. */
export interface NetworkPictures {
  /** Training samples, with what they are labelled. */
  readonly samples: readonly { readonly url: string; readonly label: string }[];
  /** Width and height of a training input in pixels. */
  readonly side: number;
  /** Filters of the first layer. */
  readonly filters?: { readonly layer: string; readonly urls: readonly string[] } | undefined;
}

/** Mistakes, doubts and doubtful labels. */
export function exampleSections({ mistakes, unsure, labels, counts }: Examples): Section[] {
  const cam = "Beside each photo is its Grad-CAM: bright is what spoke for the answer.";
  return [
    ...mistakes.length > 0
      ? [{
        id: "mistakes",
        title: "Most confident mistakes",
        body: html`<p class="quiet">${shownOf(mistakes.length, counts.mistakes, "wrong answer")}. ${cam}</p>${
          photos(mistakes)
        }`,
      }]
      : [],
    ...unsure.length > 0
      ? [{
        id: "unsure",
        title: "Least sure",
        body:
          html`<p class="quiet">Photos of which no class was very probable, right answers too. ${cam}</p>${
            photos(unsure)
          }`,
      }]
      : [],
    ...labels.length > 0
      ? [{
        id: "labels",
        title: "Labels that may be wrong",
        body: html`
          <p
            class="quiet">${shownOf(
              labels.length,
              counts.labels,
              "label",
            )} of photos that the network was not trained on, by confident learning: either the label is wrong, or the network is.
                  <code>deno task inspect --checkpoint</code> lists them all.</p>${photos(labels)}
        `,
      }]
      : [],
  ];
}

function shownOf(shown: number, all: number, what: string): string {
  if (all === shown) return `${all} ${what}${all === 1 ? "" : "s"}`;
  return `${shown} of ${all} ${what}s`;
}

function photos(examples: readonly Example[]): Html {
  const single = examples.every(({ explained }) => explained === undefined);
  return html`<div class="${single ? "photos single" : "photos"}">${
    examples.map(({ file, label, predicted, confidence, own, photo, explained }) => {
      const right = label === predicted;
      const image = html`<img src="${photo}" alt="${label}">`;
      return html`<figure>${
        explained
          ? html`<div class="pair">${image}<img src="${explained}" alt="Where ${predicted} was seen"></div>`
          : image
      }<figcaption>${
        right
          ? html`<strong>${label}</strong>, ${percent(confidence)} sure`
          : html`<strong>${label}</strong>${
            own >= 0.0005 ? ` (${percent(own)})` : ""
          }, taken for <span class="verdict bad">${predicted}</span> ${percent(confidence)}`
      }<br><span class="file">${file}</span></figcaption></figure>`;
    })
  }</div>`;
}

/** Training samples and filters. */
export function networkSections({ samples, side, filters }: NetworkPictures): Section[] {
  return [
    ...samples.length > 0
      ? [{
        id: "samples",
        title: "What the network saw",
        body: html`
          <p
            class="quiet">Samples of the first training batch at ${side} × ${side} pixels, placed, varied and mixed, read back
                  from the device.</p>
          <div class="photos samples">${samples.map(({ url, label }) =>
            html`<figure><img src="${url}" alt="A training sample"><figcaption>${label}</figcaption></figure>`
          )}</div>
        `,
      }]
      : [],
    ...filters
      ? [{
        id: "filters",
        title: "First-layer filters",
        body: html`
          <p
            class="quiet">Weights of <code>${filters
              .layer}</code>, each filter from its lowest to its highest value: edges and
                  colours after a good training, noise after too little.</p>
          <div class="filters">${filters.urls.map((url, n) =>
            html`<img src="${url}" alt="Filter ${n + 1}">`
          )}</div>
        `,
      }]
      : [],
  ];
}
