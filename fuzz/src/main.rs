//! `make fuzz`: all targets, one after the other, with mutations that nobody has tried, until the time
//! is over. What breaks a promise is kept in the corpus.

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fuzz::{TARGETS, corpus_folder};

/// Mutations between two looks at the clock.
const BATCH: u32 = 2_000;

fn main() -> ExitCode {
    // As in the release profile: the first finding would end this program before it is kept.
    if cfg!(panic = "abort") {
        eprintln!("built with panic = \"abort\": use `cargo run --profile fuzz`, or `make fuzz`");
        return ExitCode::FAILURE;
    }
    let seconds = std::env::args().nth(1).and_then(|word| word.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(600));
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut seed = since_epoch.as_secs().wrapping_mul(1_000_000);
    let share = time / u32::try_from(TARGETS.len()).unwrap_or(1);
    for target in TARGETS {
        let begin = Instant::now();
        let mut count = 0_u64;
        while begin.elapsed() < share {
            if let Err(finding) = target.check_mutations(seed, BATCH) {
                match finding.keep(&corpus_folder()) {
                    Ok(path) => println!("{}: found {}", target.name, path.display()),
                    Err(error) => println!("{}: {error}: {:?}", target.name, finding.input),
                }
                return ExitCode::FAILURE;
            }
            seed = seed.wrapping_add(1);
            count += u64::from(BATCH);
        }
        println!("{}: {count} inputs, nothing found", target.name);
    }
    ExitCode::SUCCESS
}
