//! What `initdb` makes: made once for each PostgreSQL, and copied from then on, which takes a fraction of
//! the time.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::keeper::Keeper;
use super::{SUPERUSER, ServerBin, builder};
use crate::os;

/// A data directory that no server ever uses. It is removed when this process ends, however it ends.
struct Template {
    bin: PathBuf,
    data: PathBuf,
    _keeper: Keeper,
}

static TEMPLATES: Mutex<Vec<Template>> = Mutex::new(Vec::new());

/// Makes a data directory. All of a process have the same system identifier.
pub(super) fn copy(bin: &ServerBin, data: &Path) {
    let template = {
        let mut made = TEMPLATES.lock().expect("nobody failed to make one");
        let known = made.iter().find(|one| one.bin == bin.dir());
        match known.map(|one| one.data.clone()) {
            Some(known) => known,
            None => {
                let new = Template::new(bin);
                let path = new.data.clone();
                made.push(new);
                path
            }
        }
    };
    os::must_run(
        os::as_server_user("cp")
            .current_dir("/")
            .args(["--archive", "--reflink=auto"])
            .arg(template)
            .arg(data),
    );
}

/// Makes one that has a system identifier of its own.
pub(super) fn initdb(bin: &ServerBin, data: &Path) {
    os::must_run(
        os::as_server_user(bin.server_program("initdb"))
            .current_dir("/")
            .args([
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
                "--no-instructions",
            ])
            .args(["--username", SUPERUSER, "--pgdata"])
            .arg(data),
    );
}

impl Template {
    fn new(bin: &ServerBin) -> Self {
        // From here on the keeper removes it.
        let dir = builder::short_temp_dir().keep();
        let keeper = Keeper::watch(bin.server_program("pg_ctl"), &dir);
        let data = dir.join("data");
        initdb(bin, &data);
        Self {
            bin: bin.dir().to_owned(),
            data,
            _keeper: keeper,
        }
    }
}
