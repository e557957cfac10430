//! Writes standard input to a path, once: `write_atomic PATH MODE`. `tests/files.rs` kills it at each system call.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use pic_drivers::files;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, mode] = arguments.as_slice() else { return ExitCode::from(2) };
    let Ok(mode) = u32::from_str_radix(mode, 8) else { return ExitCode::from(2) };
    let mut content = Vec::new();
    if std::io::stdin().read_to_end(&mut content).is_err() {
        return ExitCode::from(2);
    }
    match files::write_atomic(Path::new(path), &content, mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
