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

PAGE := target/page
TFJS := target/tfjs

run:
	@.ci/setup run
	@echo "build: the release program (some minutes the first time)"
	@cargo build --release --locked --quiet --bin gpubench
	@.ci/setup adapter cargo run --release --locked --quiet --bin gpubench --
	@cargo run --release --locked --quiet --bin gpubench -- $(ARGS)

test:
	@.ci/setup test
	@echo "check: formatting"
	@cargo fmt --check
	@echo "check: lints, natively"
	@cargo clippy --locked --quiet --all-targets -- -D warnings
	@echo "check: lints, wasm32"
	@cargo clippy --locked --quiet --lib --target wasm32-unknown-unknown -- -D warnings
	@echo "check: documentation"
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --no-deps --document-private-items
	@echo "build: the tests"
	@cargo test --locked --quiet --no-run
	@.ci/setup adapter cargo run --locked --quiet --bin gpubench --
	@$(MAKE) --no-print-directory web
	@echo "test: kernels and training in a browser"
	@.ci/browser-tests
	@echo "test: all tests"
	@cargo test --locked --no-fail-fast

web:
	@.ci/setup web
	@echo "build: the page (some minutes the first time)"
	@rm -rf $(PAGE) && mkdir -p $(PAGE)
	@wasm-pack --log-level warn build --target web --mode no-install --no-pack --no-typescript --profile browser --out-dir $(PAGE)/pkg --out-name gpubench . -- --locked --quiet
	@cp web/*.html web/*.css web/*.js $(PAGE)/ && rm -f $(PAGE)/pkg/.gitignore
	@.ci/page-size $(PAGE)/pkg/gpubench_bg.wasm

serve: web
	@cargo run --release --locked --quiet --bin gpubench -- serve $(PAGE)

compare-tfjs: web
	@command -v npm >/dev/null || { echo "compare: there is no npm: install Node.js 20 or newer" >&2; exit 1; }
	@mkdir -p $(TFJS) && cp web/tests/tfjs/* $(TFJS)/
	@npm install --prefix $(TFJS) --silent --no-audit --no-fund
	@node $(TFJS)/compare.mjs $(PAGE) $(TFJS)

# Where there is no Rust, GPUBENCH_BIN names a built program.
bench-gpu bench-cpu compare-webgpu:
	@[ -n "$$GPUBENCH_BIN" ] || { .ci/setup run && echo "build: the release program (some minutes the first time)" >&2 && cargo build --release --locked --quiet --bin gpubench; }
	@python3 tests/versus/compare.py $(lastword $(subst -, ,$@)) $(ARGS)

# make pictures       make README.md's pictures anew, from a committed result and from the page, in headless Chromium
.PHONY: pictures
pictures: web
	@cargo build --release --locked --quiet --bin gpubench
	@docs/pictures/make target/release/gpubench $(PAGE)
