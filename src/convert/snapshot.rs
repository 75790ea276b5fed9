//! What a transaction saw, kept for later.
#![allow(unsafe_code, reason = "reads the active snapshot")]

use crate::error::Error;
use pgrx::pg_sys;
use std::fmt;

/// A snapshot over top-level transactions, with epochs: PostgreSQL's type `pg_snapshot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    oldest_running: u64,
    next: u64,
    running: Vec<u64>,
}

impl Snapshot {
    /// Whether what that transaction did is seen. It must have ended by now, with a commit.
    pub fn sees(&self, transaction: u64) -> bool {
        transaction < self.oldest_running
            || (transaction < self.next && self.running.binary_search(&transaction).is_err())
    }

    /// Reads the text form of `pg_snapshot`.
    pub fn parse(text: &str) -> Result<Snapshot, Error> {
        let malformed = || Error::Internal(format!("malformed snapshot {text}"));
        let number = |text: &str| text.parse::<u64>().map_err(|_| malformed());
        let mut parts = text.splitn(3, ':');
        let mut next_part = || parts.next().ok_or_else(malformed);
        let oldest_running = number(next_part()?)?;
        let next = number(next_part()?)?;
        let running = next_part()?
            .split(',')
            .filter(|id| !id.is_empty())
            .map(number)
            .collect::<Result<_, _>>()?;
        Ok(Snapshot {
            oldest_running,
            next,
            running,
        })
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let running: Vec<String> = self.running.iter().map(u64::to_string).collect();
        write!(
            f,
            "{}:{}:{}",
            self.oldest_running,
            self.next,
            running.join(",")
        )
    }
}

/// Gives an id its epoch. It was given out before `next`, and less than 2^31 ids ago.
fn widen(id: u32, next: u64) -> u64 {
    next.saturating_sub(u64::from((next as u32).wrapping_sub(id)))
}

/// The active snapshot.
pub fn active() -> Snapshot {
    // SAFETY: a snapshot is active in every unit; its array holds `xcnt` ids.
    unsafe {
        let snapshot = &*pg_sys::GetActiveSnapshot();
        let next = pg_sys::ReadNextFullTransactionId().value;
        let ids: &[pg_sys::TransactionId] = match snapshot.xcnt {
            0 => &[],
            count => std::slice::from_raw_parts(snapshot.xip, count as usize),
        };
        let mut running: Vec<u64> = ids.iter().map(|id| widen(id.into_inner(), next)).collect();
        running.sort_unstable();
        running.dedup();
        Snapshot {
            oldest_running: widen(snapshot.xmin.into_inner(), next),
            next: widen(snapshot.xmax.into_inner(), next),
            running,
        }
    }
}

/// The active snapshot as a horizon: subtransactions included, where the server knows them.
pub fn horizon() -> crate::plan::horizon::Horizon {
    // SAFETY: as above; the second array holds `subxcnt` ids.
    unsafe {
        let snapshot = &*pg_sys::GetActiveSnapshot();
        let ids = |array: *mut pg_sys::TransactionId, count: usize| match count {
            0 => Vec::new(),
            _ => std::slice::from_raw_parts(array, count)
                .iter()
                .map(|id| id.into_inner())
                .collect(),
        };
        let running = (!snapshot.suboverflowed).then(|| {
            let mut running: Vec<u32> = ids(snapshot.xip, snapshot.xcnt as usize);
            running.extend(ids(snapshot.subxip, snapshot.subxcnt.max(0) as usize));
            running.sort_unstable();
            running
        });
        let now = pg_sys::ReadNextFullTransactionId().value;
        crate::plan::horizon::Horizon {
            oldest_running: snapshot.xmin.into_inner(),
            next: snapshot.xmax.into_inner(),
            running,
            next_full: widen(snapshot.xmax.into_inner(), now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read_back() {
        for text in ["10:20:11,15", "10:10:", "4294967300:4294967310:4294967300"] {
            assert_eq!(
                Snapshot::parse(text).map(|s| s.to_string()).ok().as_deref(),
                Some(text)
            );
        }
        assert!(Snapshot::parse("10").is_err());
    }

    #[test]
    fn it_sees_what_had_ended() {
        let snapshot = Snapshot {
            oldest_running: 10,
            next: 20,
            running: vec![10, 15],
        };
        let seen: Vec<u64> = (8..22).filter(|id| snapshot.sees(*id)).collect();
        assert_eq!(seen, [8, 9, 11, 12, 13, 14, 16, 17, 18, 19]);
    }

    #[test]
    fn ids_get_their_epoch() {
        assert_eq!(widen(7, 12), 7);
        assert_eq!(widen(0xffff_fffe, (1 << 32) + 5), 0xffff_fffe);
        assert_eq!(widen(3, (1 << 32) + 5), (1 << 32) + 3);
    }
}
