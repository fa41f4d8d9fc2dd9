# make run    build and run the benchmark; options go in ARGS: make run ARGS="--quick --adapter nvidia"
# make test   formatting, lints natively and for wasm32, documentation, the page, all tests, those in a browser too
# make web    build the browser's page into target/page, for any web server
# make serve  build it and serve it on http://localhost:8000/
# make compare-tfjs   train the same network with TensorFlow.js in the same browser (fetches npm packages)
# make bench-gpu      train it with PyTorch and JAX on the same GPU (installs them where they are missing)
# make bench-cpu      the same on the CPU
# make compare-webgpu the same with tinygrad and Burn on the same software adapter (fetches and builds them)
#
# They install what is missing and say what. Once they ran, none needs the network.

# Without a desktop, Mesa's device-select layer complains on stderr and selects nothing; gpubench orders adapters itself.
export NODEVICE_SELECT ?= 1

.PHONY: run test web serve compare-tfjs bench-gpu bench-cpu compare-webgpu

STEP := .ci/step
# With MPI where it is installed, the same for all native checks: one build.
FEATURES := $$(.ci/setup features)
WASM := wasm32-unknown-unknown
PAGE := target/page
TFJS := target/tfjs

run:
	@.ci/setup run
	@echo "build: the release program (some minutes the first time)"
	@cargo build --release --locked --quiet --bin gpubench
	@.ci/setup gpu cargo run --release --locked --quiet --bin gpubench --
	$(if $(findstring --data,$(ARGS)),,@.ci/setup data cargo run --release --locked --quiet --bin gpubench --)
	@cargo run --release --locked --quiet --bin gpubench -- $(ARGS)

# Each step says its name, and the one that fails says so; what is quick comes first. Two at a time where each leaves a core idle.
test:
	@$(STEP) "set-up" .ci/setup test
	@$(STEP) "check: formatting" cargo fmt --check
	@$(MAKE) --no-print-directory --jobs 2 lints lints-wasm
	@RUSTDOCFLAGS="-D warnings" $(STEP) "check: documentation" cargo doc $(FEATURES) --locked --quiet --no-deps --document-private-items
	@$(MAKE) --no-print-directory --jobs 2 built-tests built-page
	@.ci/setup adapter cargo run $(FEATURES) --locked --quiet --bin gpubench --
	@$(STEP) "test: kernels and training in a browser" .ci/leaves-nothing .ci/browser-tests
	@# Debug builds of wgpu load the validation layer where it is installed, which has tests of its own here and slows all others.
	@WGPU_VALIDATION=0 WGPU_DEBUG=0 $(STEP) "test: all tests" .ci/leaves-nothing cargo test $(FEATURES) --locked --no-fail-fast

.PHONY: lints lints-wasm built-tests built-page
lints:
	@$(STEP) "check: lints, natively" cargo clippy $(FEATURES) --locked --quiet --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then \
		$(STEP) "check: licences, versions and sources of dependencies" cargo deny --locked check licenses bans sources; \
	else echo "check: dependencies: left out, as there is no cargo-deny (cargo install --locked cargo-deny)"; fi
lints-wasm:
	@$(STEP) "check: lints, wasm32" cargo clippy --locked --quiet --lib --target $(WASM) --profile browser -- -D warnings
built-tests:
	@$(STEP) "build: the tests" cargo test $(FEATURES) --locked --quiet --no-run
built-page:
	@$(STEP) "build: the page" $(MAKE) --no-print-directory web
	@$(STEP) "build: the tests for a browser" .ci/browser-tests --no-run

# What `wasm-pack build --target web --profile browser` makes, without wasm-pack and without names of functions.
web:
	@.ci/setup web
	@echo "build: the page (some minutes the first time)"
	@rm -rf $(PAGE) && mkdir -p $(PAGE)
	@cargo build --locked --quiet --lib --target $(WASM) --profile browser
	@wasm-bindgen --target web --no-typescript --remove-name-section --remove-producers-section --out-dir $(PAGE)/pkg --out-name gpubench target/$(WASM)/browser/gpubench.wasm
	@cp web/*.html web/*.css web/*.js $(PAGE)/
	@.ci/page-size $(PAGE)/pkg/gpubench_bg.wasm

serve: web
	@cargo run --release --locked --quiet --bin gpubench -- serve $(PAGE)

compare-tfjs: web
	@command -v npm >/dev/null || { echo "compare: there is no npm: install Node.js 20 or newer" >&2; exit 1; }
	@mkdir -p $(TFJS) && cp web/tests/tfjs/* $(TFJS)/
	@npm install --prefix $(TFJS) --silent --no-audit --no-fund
	@node $(TFJS)/compare.mjs $(PAGE) $(TFJS)

# Where there is no Rust, GPUBENCH_BIN names a built program.
BUILT = [ -n "$$GPUBENCH_BIN" ] || { .ci/setup run && echo "build: the release program (some minutes the first time)" >&2 && cargo build --release --locked --quiet --bin gpubench; }
COMPARE = $${GPUBENCH_BIN:-target/release/gpubench}
bench-gpu: TOOLS = torch torch-compiled torch-eager-graph torch-graph jax jax-reshape
bench-gpu: ON = --device gpu
bench-gpu: HOW = --rounds 3
bench-cpu: TOOLS = torch torch-compiled jax
bench-cpu: ON = --device cpu
bench-cpu: HOW = --epochs 1 --rounds 3
compare-webgpu: TOOLS = tinygrad-webgpu burn burn-plain
compare-webgpu: ON = --device cpu
compare-webgpu: HOW = --adapter llvmpipe --steps 20 --rounds 3

bench-gpu bench-cpu compare-webgpu:
	@$(BUILT)
	-@$(COMPARE) frameworks setup $(TOOLS) $(ON)
	@$(COMPARE) frameworks run $(TOOLS) $(ON) $(HOW) $(ARGS)

# make pictures       make README.md's pictures anew, from a committed result and from the page, in headless Chromium
.PHONY: pictures
pictures: web
	@cargo build --release --locked --quiet --bin gpubench
	@docs/pictures/make target/release/gpubench $(PAGE)
