//! NC1 where textbook code loses all digits: decaying spectra, offsets, near collapse.

use ufm::metrics::Convention;

use crate::check::{synthetic, within};
use crate::definitions::{Data, Exact};
use crate::linear::real;

/// Relative error allowed to NC1 on hard data.
const NC1_ACCURACY: f64 = 1e-10;

fn nc1_accuracy(name: &str, data: &Data) {
    let exact = Exact::new(data, false, false).nc1();
    let found = data.measure(Convention::Zhu).get("nc1").unwrap_or_else(|| panic!("{name}: nc1 is defined"));
    within(name, Some(found), &exact);
    let relative = ((real(found.value) - &exact) / &exact).abs().to_f64();
    println!("{name}: nc1 {:e}, relative error {relative:.1e}, relative bound {:.1e}", found.value, found.bound / found.value);
    assert!(found.value >= 0.0 && relative <= NC1_ACCURACY, "{name}: relative error {relative:e}");
}

#[test]
fn nc1_survives_decaying_spectra() {
    for decay in [1e2, 1e3, 1e4] {
        nc1_accuracy(&format!("decay {decay:e}"), &synthetic(100, 128, 4, decay, 0.0, 0.1, 1));
    }
}

#[test]
fn nc1_survives_an_offset() {
    nc1_accuracy("offset 10", &synthetic(200, 96, 3, 1.0, 10.0, 0.1, 2));
    nc1_accuracy("offset 10, d >= K", &synthetic(200, 256, 3, 1.0, 10.0, 0.1, 2));
    nc1_accuracy("offset 1e6", &synthetic(20, 32, 5, 1.0, 1e6, 0.1, 3));
}

#[test]
fn nc1_survives_near_collapse() {
    nc1_accuracy("sigma 1e-6", &synthetic(100, 128, 4, 1.0, 0.0, 1e-6, 4));
    nc1_accuracy("sigma 1e-6 with an offset", &synthetic(50, 64, 4, 10.0, 10.0, 1e-6, 5));
}

/// The same data rounded to single precision, as most networks' features come.
fn single(mut data: Data) -> Data {
    data.rows.iter_mut().for_each(|x| *x = f64::from(*x as f32));
    data
}

#[test]
fn nc1_of_single_precision_features() {
    nc1_accuracy("f32, decay 1e4", &single(synthetic(100, 128, 4, 1e4, 0.0, 0.1, 1)));
    nc1_accuracy("f32, offset 10", &single(synthetic(200, 96, 3, 1.0, 10.0, 0.1, 2)));
    nc1_accuracy("f32, sigma 1e-6", &single(synthetic(100, 128, 4, 1.0, 0.0, 1e-6, 4)));
}
