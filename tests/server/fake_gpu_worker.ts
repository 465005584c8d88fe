/**
 * The GPU's worker over the fake loader.
 * @module
 */
import { serveClassifiers } from "../../server/workers/gpu_thread.ts";
import { loadClassifier } from "./fake_loader.ts";

serveClassifiers(loadClassifier);
