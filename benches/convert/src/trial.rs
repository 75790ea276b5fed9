//! Our conversion while others write.

use std::time::{Duration, Instant};

use postgres::Client;

use crate::bed::{Bed, Plot, run};
use crate::contest::{Phases, attempts, check_load, start, sums, watch};
use crate::load::{By, Event, Record, under_load};
use crate::meter::{Cost, measure};

/// How the load is, and what else happens.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    pub rate: Option<f64>,
    pub workers: u32,
    pub by: By,
    /// A reader that holds the table for so long when the swap comes.
    pub reader: Option<Duration>,
    /// How long the same load runs before, for comparison.
    pub before: Duration,
}

/// How long clients go on after the swap: they meet the new table.
const AFTER: Duration = Duration::from_secs(2);

/// What came of it.
pub struct Outcome {
    pub cost: Cost,
    pub phases: Phases,
    pub attempts: i32,
    pub failures: Vec<String>,
    pub before: Stats,
    pub during: Stats,
    /// By phase; the last is after the swap.
    pub by_phase: Vec<(String, Stats)>,
    /// The longest transactions, with the time of their end relative to the swap.
    pub slowest: Vec<(f64, f64, &'static str)>,
}

/// What clients saw in a span of time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stats {
    pub count: usize,
    pub per_second: f64,
    pub service: Spread,
    pub response: Spread,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spread {
    pub p50: f64,
    pub p99: f64,
    pub longest: f64,
}

impl Stats {
    /// Over transactions that ended within the span.
    fn of(events: &[Event], from: Instant, to: Instant) -> Self {
        let within: Vec<&Event> = events
            .iter()
            .filter(|event| event.end >= from && event.end < to)
            .collect();
        Self {
            count: within.len(),
            per_second: within.len() as f64 / to.duration_since(from).as_secs_f64().max(1e-6),
            service: spread(within.iter().map(|event| event.service()).collect()),
            response: spread(within.iter().map(|event| event.response()).collect()),
        }
    }
}

fn spread(mut durations: Vec<Duration>) -> Spread {
    durations.sort_unstable();
    let at = |share: f64| {
        let last = durations.len().saturating_sub(1);
        let place = (share * durations.len() as f64) as usize;
        durations
            .get(place.min(last))
            .map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    Spread {
        p50: at(0.5),
        p99: at(0.99),
        longest: at(1.0),
    }
}

/// Runs it, and checks the table.
pub fn undergo(bed: &mut Bed, trial: &Trial) -> Outcome {
    let plot = bed.fresh();
    let mut client = plot.open();
    let (rows, ids, quantity) = sums(&mut client);
    let (record, done) = under_load(
        || plot.open(),
        plot.bed.rows,
        trial.rate,
        trial.by,
        || convert_amid(&plot, &mut client, trial),
    );
    let (began, cost, phases) = done;
    let tries = attempts(&mut client);
    let ledger = record.ledger;
    check_load(
        &mut client,
        (
            rows + ledger.rows,
            ids + ledger.ids,
            quantity + ledger.quantity,
        ),
    );
    judge(record, trial, began, cost, phases, tries)
}

fn convert_amid(plot: &Plot, client: &mut Client, trial: &Trial) -> (Instant, Cost, Phases) {
    // The first second warms up.
    std::thread::sleep(Duration::from_secs(1));
    let began = Instant::now();
    std::thread::sleep(trial.before);
    run(client, "CHECKPOINT");
    let (cost, phases) = measure(plot, || {
        start(client, trial.workers);
        std::thread::scope(|scope| {
            watch(client, |phase| {
                if let (Some(time), "verifying") = (trial.reader, phase) {
                    scope.spawn(move || hold(plot, time));
                }
            })
        })
    });
    std::thread::sleep(AFTER);
    (began, cost, phases)
}

/// Young transactions hold the table, one after the other, and the one that meets the swap holds
/// it for long.
fn hold(plot: &Plot, time: Duration) {
    let mut sessions = [plot.open(), plot.open()];
    let mut watcher = plot.open();
    let statement = watcher
        .prepare("SELECT phase = 'verifying' FROM partman_rs.job ORDER BY id DESC LIMIT 1")
        .expect("the job's table is there");
    let take = "BEGIN; SELECT count(*) FROM (SELECT FROM trades LIMIT 10) few";
    run(&mut sessions[0], take);
    let mut holder = 0;
    let mut since = Instant::now();
    loop {
        let row = watcher
            .query_one(&statement, &[])
            .expect("the job is there");
        if !row.get::<_, bool>(0) {
            break;
        }
        if since.elapsed() > Duration::from_millis(150) {
            run(&mut sessions[1 - holder], take);
            run(&mut sessions[holder], "COMMIT");
            holder = 1 - holder;
            since = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(time);
    run(&mut sessions[holder], "COMMIT");
}

fn judge(
    record: Record,
    trial: &Trial,
    began: Instant,
    cost: Cost,
    phases: Phases,
    attempts: i32,
) -> Outcome {
    let (called, swapped) = phases.span();
    let end = swapped + AFTER;
    let events = &record.events;
    let mut by_phase: Vec<(String, Stats)> = phases
        .0
        .windows(2)
        .map(|pair| (pair[0].0.clone(), Stats::of(events, pair[0].1, pair[1].1)))
        .collect();
    by_phase.push(("after".to_owned(), Stats::of(events, swapped, end)));
    let mut slowest: Vec<(f64, f64, &'static str)> = events
        .iter()
        .filter(|event| event.end >= called)
        .map(|event| {
            let ended = event.end.saturating_duration_since(swapped).as_secs_f64()
                - swapped.saturating_duration_since(event.end).as_secs_f64();
            (event.service().as_secs_f64() * 1e3, ended * 1e3, event.kind)
        })
        .collect();
    slowest.sort_by(|a, b| b.0.total_cmp(&a.0));
    slowest.truncate(8);
    Outcome {
        cost,
        before: Stats::of(events, began, began + trial.before),
        // What the swap does to clients shows a moment after it.
        during: Stats::of(events, called, end),
        by_phase,
        slowest,
        failures: record.failures,
        attempts,
        phases,
    }
}
