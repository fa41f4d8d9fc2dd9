//! The terminal program `gpubench`.

fn main() -> std::process::ExitCode {
    gpubench::cli::main()
}
