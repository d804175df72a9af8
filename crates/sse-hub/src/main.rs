//! The hub's executable; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    sse_hub::run()
}
