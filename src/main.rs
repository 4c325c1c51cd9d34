//! The command line: parse, run, report.

fn main() -> std::process::ExitCode {
    ufm::cli::main()
}
