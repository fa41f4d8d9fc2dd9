# gpubench for the CPU, for Mesa's drivers, and for NVIDIA's through the container toolkit.
#
#   docker build -t gpubench .
#   docker run --rm gpubench --adapter cpu
#   docker run --rm --gpus all gpubench --adapter nvidia
#
# docs/CONTAINERS.md has Podman, Apptainer and Slurm. With --build-arg FEATURES=mpi the program takes part in MPI jobs.
ARG DEBIAN=bookworm

FROM rust:1.95-slim-${DEBIAN} AS build
ARG FEATURES=""
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends libclang-dev libopenmpi-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /gpubench
COPY . .
RUN cargo build --release --locked --bin gpubench --features "terminal ${FEATURES}"

FROM debian:${DEBIAN}-slim
# The loader, Mesa's drivers, what NVIDIA's driver links to, and MPI's own programs.
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends ca-certificates libegl1 libgl1 libvulkan1 libx11-6 libxext6 \
        mesa-vulkan-drivers openmpi-bin openssh-client \
    && rm -rf /var/lib/apt/lists/*
# The toolkit mounts NVIDIA's Vulkan driver only where graphics is among the capabilities.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,graphics,utility NODEVICE_SELECT=1
COPY --from=build /gpubench/target/release/gpubench /usr/local/bin/gpubench
# Results of `-o /results`, and MNIST's files for `--data /data`.
VOLUME ["/results", "/data"]
ENTRYPOINT ["gpubench"]
