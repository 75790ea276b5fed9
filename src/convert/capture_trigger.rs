//! The trigger function behind `partman_rs_capture`. It runs in every transaction that writes to
//! a source, as whoever writes: it must be fast, need no privilege, and never fail by itself.
#![allow(unsafe_code, reason = "a trigger function on the C interface")]

use super::change_log::{ChangeLog, Event};
use crate::error::Error;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;

/// Version 1 of the C calling convention.
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_capture_change() -> *const pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// `partman_rs.capture_change()`.
///
/// A table without a change log is not being converted (it was dumped and restored in the middle
/// of a conversion, say): there is nobody to tell, and the write must not fail for it. No
/// conversion can complete without its log, so nothing is lost by staying silent.
///
/// # Safety
/// Called by PostgreSQL's function manager.
#[unsafe(no_mangle)]
#[pgrx::pg_guard]
pub unsafe extern "C-unwind" fn capture_change(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the function manager passes a valid call; being called as a trigger is checked
    // before the context is taken for trigger data.
    unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            refuse();
        }
        let data = &*context.cast::<pg_sys::TriggerData>();
        let source = data.tg_relation;
        // Anybody may make a trigger with this function on a table of their own; as any other
        // kind it would have no row to look at, and before a row it would make the row vanish.
        let timing = data.tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK;
        if timing != pg_sys::TRIGGER_EVENT_AFTER {
            refuse();
        }
        let Some(log) = ChangeLog::open((*source).rd_id) else {
            return pg_sys::Datum::null();
        };
        let per_row = data.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0;
        let truncate =
            data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_TRUNCATE;
        if !(per_row || truncate) {
            refuse();
        }
        record(&log, data);
    }
    pg_sys::Datum::null()
}

fn refuse() {
    ErrorReport::from(Error::Argument {
        message: "partman_rs.capture_change can only be called as a trigger AFTER … FOR EACH ROW, or AFTER TRUNCATE".to_owned(),
        detail: None,
        hint: None,
    })
    .report(pgrx::PgLogLevel::ERROR);
}

/// # Safety
/// `data` is the trigger data of a running AFTER trigger.
unsafe fn record(log: &ChangeLog, data: &pg_sys::TriggerData) {
    let event = data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK;
    // SAFETY: the trigger's relation is open.
    let desc = unsafe { (*data.tg_relation).rd_att };
    // After an ALTER TABLE of a logged column no key can be logged any more; the conversion will
    // find that the table was altered, and say so.
    if event == pg_sys::TRIGGER_EVENT_TRUNCATE || !log.fits(desc) {
        log.append_truncation();
        return;
    }
    // SAFETY: tuples that the executor fetched for this trigger, of the source's row type.
    unsafe {
        let old_or_only = data.tg_trigtuple;
        let first = log.values(old_or_only, desc);
        let update = event == pg_sys::TRIGGER_EVENT_UPDATE;
        if !log.holds_rows() {
            log.append_key(&first);
            if update {
                let second = log.values(data.tg_newtuple, desc);
                if !log.same(&first, &second) {
                    log.append_key(&second);
                }
            }
            return;
        }
        if event == pg_sys::TRIGGER_EVENT_INSERT {
            log.append_row(Event::Inserted, old_or_only, &first);
            return;
        }
        let (_, frozen) = crate::pg::tuple::raw_xmin(old_or_only);
        let deleted = if frozen {
            Event::DeletedFrozen
        } else {
            Event::Deleted
        };
        log.append_row(deleted, old_or_only, &first);
        if update {
            let second = log.values(data.tg_newtuple, desc);
            log.append_row(Event::Inserted, data.tg_newtuple, &second);
        }
    }
}
