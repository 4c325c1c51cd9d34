use super::{Status, run::{Iterate, Run}};

pub(super) fn search(_run: &mut Run, _at: &mut Iterate) -> Status {
    Status::Stalled
}
