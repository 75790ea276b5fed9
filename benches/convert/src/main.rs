//! Measures a conversion against `INSERT … SELECT`, idle and under load, and maintenance against
//! plain SQL, and prints what is wanted beside what was found. It fails where data is wrong or a statement failed, never on time.

mod bed;
mod contest;
mod drainage;
mod forecast;
mod load;
mod meter;
mod report;
mod trial;
mod upkeep;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use bed::Bed;
use contest::{Way, compete};
use load::By;
use trial::{Trial, undergo};

/// Measures pg_partman_rs; run it by `make bench`.
#[derive(Debug, Parser)]
struct Args {
    /// Rows of the table.
    #[arg(default_value_t = 2_000_000)]
    #[arg(value_parser = clap::value_parser!(i64).range(1_000..))]
    rows: i64,
    /// A smoke run: 200,000 rows, each once.
    #[arg(long)]
    quick: bool,
    /// Runs of each idle contestant.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// By what clients find the rows that they change.
    #[arg(long, value_enum, default_value = "id")]
    by: By,
    /// Which parts to run.
    #[arg(long, value_delimiter = ',', default_value = "a,b,c,d,e,f,g,h,i")]
    only: Vec<char>,
    /// Partitions of the sets that are maintained.
    #[arg(long, value_delimiter = ',', default_value = "100,1000,5000")]
    #[arg(value_parser = clap::value_parser!(i64).range(100..=10_000))]
    sets: Vec<i64>,
    /// Rows of the default partition that maintenance empties; 0 leaves that out.
    #[arg(long, default_value_t = 5_000_000)]
    #[arg(value_parser = clap::value_parser!(i64).range(0..))]
    default_rows: i64,
    #[arg(long, default_value = "1GB")]
    shared_buffers: String,
}

fn main() -> ExitCode {
    let mut args = Args::parse();
    if args.quick {
        args.rows = 200_000;
        args.repeat = 1;
        args.default_rows = args.default_rows.min(200_000);
    }
    if args.only.contains(&'i') {
        report::load_of_the_machine("at the start");
        upkeep::measure(&args.sets, args.default_rows, &args.shared_buffers);
    }
    if args.only == ['i'] {
        return ExitCode::SUCCESS;
    }
    let mut bed = Bed::prepare(args.rows, &args.shared_buffers);
    report::setting(&bed);
    contest(&mut bed, &args);
    if args.only.contains(&'h') {
        let (unknown, known) = forecast::compare(&mut bed);
        report::forecast("(h) estimates, with usual rates", &unknown);
        report::forecast("(h) estimates, with rates measured before", &known);
    }
    let failed = trials(&mut bed, &args);
    report::load_of_the_machine("at the end");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        eprintln!("{failed} statements of clients failed");
        ExitCode::FAILURE
    }
}

/// The idle contestants take turns, for the machine may be faster now than then.
fn contest(bed: &mut Bed, args: &Args) {
    let all = [
        ('a', Way::Indexed),
        ('b', Way::LoadThenIndex),
        ('c', Way::Ours(1)),
        ('c', Way::Ours(2)),
    ];
    let chosen: Vec<Way> = all
        .into_iter()
        .filter(|(letter, _)| args.only.contains(letter))
        .map(|(_, way)| way)
        .collect();
    let mut runs = vec![Vec::new(); chosen.len()];
    let mut phases: Vec<BTreeMap<String, Vec<f64>>> = vec![BTreeMap::new(); chosen.len()];
    for _ in 0..args.repeat {
        for (place, way) in chosen.iter().enumerate() {
            let (cost, steps) = compete(bed, *way);
            report::progress(&way.name(), cost.seconds);
            runs[place].push(cost);
            for (phase, seconds) in steps.seconds() {
                phases[place].entry(phase).or_default().push(seconds);
            }
        }
    }
    report::contest(&chosen, &runs, &phases);
}

/// Returns how many statements of clients failed.
fn trials(bed: &mut Bed, args: &Args) -> usize {
    let before = Duration::from_secs(if args.quick { 3 } else { 10 });
    let plain = Trial {
        rate: Some(500.0),
        workers: 1,
        by: args.by,
        reader: None,
        before,
    };
    let hold = Duration::from_secs(10);
    let list = [
        ('d', "(d) 500 tps, 1 worker", plain),
        (
            'd',
            "(d) 500 tps, 2 workers",
            Trial {
                workers: 2,
                ..plain
            },
        ),
        (
            'e',
            "(e) 3,000 tps, 1 worker",
            Trial {
                rate: Some(3_000.0),
                ..plain
            },
        ),
        (
            'f',
            "(f) not throttled, 1 worker",
            Trial {
                rate: None,
                ..plain
            },
        ),
        (
            'g',
            "(g) 500 tps, a reader for 10 s",
            Trial {
                reader: Some(hold),
                ..plain
            },
        ),
    ];
    let mut failed = 0;
    for (letter, name, trial) in list {
        if args.only.contains(&letter) {
            let outcome = undergo(bed, &trial);
            report::trial(letter, name, &outcome);
            failed += outcome.failures.len();
        }
    }
    failed
}
