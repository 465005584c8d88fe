# The model server. Build: docker build -t alexnet-webgpu .
# Run on the processor: docker run -p 8000:8000 -v ./runs/NAME:/models:ro alexnet-webgpu
# On a graphics card give the container its devices and its Vulkan driver: --device /dev/dri for Mesa's drivers, or
# --gpus all -e NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility with NVIDIA's container toolkit.

FROM debian:bookworm-slim AS deno
RUN apt-get update && apt-get install -y --no-install-recommends npm && rm -rf /var/lib/apt/lists/*
# The package's own start script makes sure of the binary, which then stands alone.
RUN npm install --global deno@2.9.6 && deno --version \
  && install -m 755 "$(find /usr/local/lib/node_modules/deno -type f -name deno -size +1M | head -n 1)" /usr/local/bin/deno.bin

FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates libvulkan1 mesa-vulkan-drivers \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --create-home --uid 10001 server
COPY --from=deno /usr/local/bin/deno.bin /usr/local/bin/deno
# Fewer arenas: with one per thread, memory that reloads give back stays scattered and resident.
ENV DENO_DIR=/deno-dir DENO_NO_UPDATE_CHECK=1 XDG_RUNTIME_DIR=/tmp MALLOC_ARENA_MAX=2
WORKDIR /app
COPY deno.json deno.lock std.d.ts ./
COPY browser browser
COPY commands commands
COPY data data
COPY distributed distributed
COPY engine engine
COPY model model
COPY server server
COPY training training
COPY serve.ts ./
# Everything that workers load later is fetched now: the container needs no network to start.
RUN deno cache --frozen serve.ts server/workers/gpu_worker.ts server/workers/codec_worker.ts data/image/decoder_process.ts commands/fetch.ts \
  && deno run -A --cached-only serve.ts --help > /dev/null \
  && deno cache --no-lock npm:@jsquash/avif@2.1.1 npm:libheif-js@1.23.2 data/image/decoder_process.ts \
  && deno run -A commands/bundle.ts --optional \
  && chmod -R a+rX /deno-dir /app
USER server
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["deno", "eval", "if (!(await fetch('http://127.0.0.1:8000/v2/health/ready')).ok) Deno.exit(1)"]
# Its own files, models and secrets to read, one address to listen on, decoders to start; nothing to write, no native code.
ENTRYPOINT ["deno", "run", "--cached-only", "--no-prompt", "--allow-read=/app,/models,/mnt/models,/run/secrets", "--allow-net=0.0.0.0", "--allow-run=/usr/local/bin/deno", "--allow-env=ALEXNET_DRIVER,ALEXNET_TOKEN,DENO_WEBGPU_BACKEND,VK_DRIVER_FILES,VK_ICD_FILENAMES,XDG_RUNTIME_DIR", "--allow-sys=setPriority", "serve.ts", "--host", "0.0.0.0"]
CMD ["--checkpoint", "/models/best.safetensors", "--name", "model"]
