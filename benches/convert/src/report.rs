//! What is printed.

use std::collections::BTreeMap;

use crate::bed::Bed;
use crate::contest::Way;
use crate::forecast;
use crate::meter::Cost;
use crate::trial::{Outcome, Spread};
use crate::upkeep;

const MB: f64 = 1_048_576.0;

/// What is measured on.
pub fn setting(bed: &Bed) {
    let (row, index) = bed.bytes_per_row();
    println!(
        "{} rows of {row} bytes in the heap and {index} in three indexes, 24 months and a default partition",
        bed.rows
    );
    load_of_the_machine("at the start");
}

/// Others on the machine make figures worthless.
pub fn load_of_the_machine(when: &str) {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = text.split(' ').take(3).collect();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "load of the machine {when}: {}, {processors} processors",
        load.join(" ")
    );
}

/// A run is done.
pub fn progress(name: &str, seconds: f64) {
    eprintln!("  {name}: {seconds:.2} s");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Seconds, WAL and disk of the idle contestants.
pub fn contest(ways: &[Way], runs: &[Vec<Cost>], phases: &[BTreeMap<String, Vec<f64>>]) {
    if ways.is_empty() {
        return;
    }
    let seconds = |run: &[Cost]| run.iter().map(|cost| cost.seconds).collect::<Vec<_>>();
    println!(
        "\nidle                                 median s     min     max   CPU s   WAL MB  extra disk MB"
    );
    for (way, run) in ways.iter().zip(runs) {
        let took = seconds(run);
        let least = took.iter().copied().fold(f64::INFINITY, f64::min);
        let most = took.iter().copied().fold(0.0, f64::max);
        let wal = median(run.iter().map(|cost| cost.wal / MB).collect());
        let cpu = median(run.iter().map(|cost| cost.processor).collect());
        let disk = median(run.iter().map(|cost| cost.disk / MB).collect());
        println!(
            "{:<36} {:>8.2} {least:>7.2} {most:>7.2} {cpu:>7.2} {wal:>8.0} {disk:>14.0}",
            way.name(),
            median(took)
        );
    }
    for (way, phases) in ways
        .iter()
        .zip(phases)
        .filter(|(_, phases)| !phases.is_empty())
    {
        let steps: Vec<String> = phases
            .iter()
            .map(|(phase, took)| format!("{phase} {:.2}", median(took.clone())))
            .collect();
        println!("  {}: {}", way.name(), steps.join(", "));
    }
    let find = |wanted: Way| {
        let place = ways.iter().position(|way| *way == wanted)?;
        Some(median(seconds(&runs[place])))
    };
    let Some(base) = find(Way::LoadThenIndex) else {
        return;
    };
    for (way, wanted) in [(Way::Ours(1), 0.75), (Way::Ours(2), 0.55)] {
        if let Some(took) = find(way) {
            wish(&format!("{} / (b)", way.name()), took / base, wanted, "");
        }
    }
}

/// Estimates by what they came to.
pub fn forecast(name: &str, outcomes: &[forecast::Outcome]) {
    println!("\n{name}: estimate / truth");
    println!("        rows    took s    rows    disk     WAL    time");
    for outcome in outcomes {
        println!(
            "  {:>10} {:>9.2} {:>7.2} {:>7.2} {:>7.2} {:>7.2}",
            outcome.rows,
            outcome.seconds,
            outcome.row_ratio,
            outcome.disk_ratio,
            outcome.wal_ratio,
            outcome.time_ratio
        );
    }
    let farthest = |ratio: fn(&forecast::Outcome) -> f64| {
        let off = outcomes
            .iter()
            .map(|outcome| ratio(outcome).max(1.0 / ratio(outcome)));
        off.fold(1.0, f64::max)
    };
    wish(
        "rows off by a factor",
        farthest(|outcome| outcome.row_ratio),
        1.1,
        "",
    );
    wish(
        "disk off by a factor",
        farthest(|outcome| outcome.disk_ratio),
        1.2,
        "",
    );
    wish(
        "time off by a factor",
        farthest(|outcome| outcome.time_ratio),
        2.0,
        "",
    );
}

/// Prints a figure beside the wanted one, which it must not exceed.
pub fn wish(what: &str, found: f64, wanted: f64, unit: &str) {
    let verdict = if found <= wanted {
        "reached"
    } else {
        "NOT reached"
    };
    println!("  wanted: {what} at most {wanted}{unit}; found {found:.2}{unit}: {verdict}");
}

fn line(name: &str, per_second: f64, service: Spread, response: Spread) {
    println!(
        "  {name:<14} {per_second:>8.1} {:>8.2} {:>8.2} {:>8.1}   {:>8.2} {:>8.2} {:>8.1}",
        service.p50, service.p99, service.longest, response.p50, response.p99, response.longest
    );
}

/// A conversion under load.
pub fn trial(letter: char, name: &str, outcome: &Outcome) {
    let cost = outcome.cost;
    println!(
        "\n{name}: {:.2} s, CPU {:.2} s and WAL {:.0} MB (with those of the clients), extra disk {:.0} MB, {} swap attempts, {} failed statements",
        cost.seconds,
        cost.processor,
        cost.wal / MB,
        cost.disk / MB,
        outcome.attempts,
        outcome.failures.len()
    );
    for failure in outcome.failures.iter().take(5) {
        println!("  failed: {failure}");
    }
    println!(
        "                             from the start, ms             from when it was due, ms"
    );
    println!("                      tps      p50      p99  longest        p50      p99  longest");
    let (before, during) = (outcome.before, outcome.during);
    line("before", before.per_second, before.service, before.response);
    line("during", during.per_second, during.service, during.response);
    for (phase, stats) in &outcome.by_phase {
        if stats.count > 0 {
            line(
                &format!("  {phase}"),
                stats.per_second,
                stats.service,
                stats.response,
            );
        }
    }
    let phases = outcome.phases.seconds();
    let steps: Vec<String> = phases
        .iter()
        .map(|(phase, seconds)| format!("{phase} {seconds:.2}"))
        .collect();
    println!("  phases: {}", steps.join(", "));
    let slowest: Vec<String> = outcome
        .slowest
        .iter()
        .map(|(took, at, kind)| format!("{kind} {took:.1} ms at {at:+.0}"))
        .collect();
    println!(
        "  slowest, by ms after the swap was seen: {}",
        slowest.join(", ")
    );
    let stall = during.service.longest;
    match letter {
        'd' => {
            wish("longest stall", stall, 20.0, " ms");
            let share = during.per_second / before.per_second.max(1e-6);
            let verdict = if share >= 0.95 {
                "reached"
            } else {
                "NOT reached"
            };
            println!(
                "  wanted: throughput at least 0.95 of that before; found {share:.3}: {verdict}"
            );
            let ratio = during.service.p99 / before.service.p99.max(1e-6);
            wish("p99 / p99 before", ratio, 3.0, "");
        }
        'e' => wish("longest stall", stall, 40.0, " ms"),
        'g' => wish("longest wait of another client", stall, 150.0, " ms"),
        _ => println!(
            "  wanted: it converges; throughput during it {:.0} % of that before",
            100.0 * during.per_second / before.per_second.max(1e-6)
        ),
    }
}

/// Maintenance beside plain SQL.
pub fn upkeep(name: &str, lines: &[upkeep::Line]) {
    println!(
        "\n{name}                    longest               longest\n{:<28} ours ms   insert   plain ms   insert   ours/plain",
        ""
    );
    let stall = |took: upkeep::Took| {
        took.stall
            .map_or_else(|| "-".to_owned(), |millis| format!("{millis:.1}"))
    };
    for line in lines {
        let (plain, plain_stall, ratio) = match line.plain {
            Some(plain) => (
                format!("{:.1}", plain.millis),
                stall(plain),
                format!("{:.2}", line.ours.millis / plain.millis),
            ),
            None => ("-".to_owned(), "-".to_owned(), "-".to_owned()),
        };
        println!(
            "  {:<26} {:>7.1} {:>8} {plain:>10} {plain_stall:>8} {ratio:>12}",
            line.what,
            line.ours.millis,
            stall(line.ours)
        );
    }
}
