//! Comparison with an earlier run.

use serde_json::Value;
use thiserror::Error;

use super::{Entry, Outcome, Speed};

/// A slower median counts when it is beyond the noise and beyond this factor.
const SLOWER: f64 = 1.25;
/// Standard errors of the difference of two medians that count as noise.
const SIGMAS: f64 = 5.0;
/// Standard deviation of normal noise over its median absolute deviation.
const NORMAL: f64 = 1.4826;

/// Why a file is no baseline of this run.
#[derive(Debug, Error)]
pub enum BaselineError {
    #[error("not a result of `ufm kernels --json`: {0}")]
    Malformed(String),
    #[error("does not match this run: {0}")]
    Mismatch(String),
}

fn malformed(what: impl Into<String>) -> BaselineError {
    BaselineError::Malformed(what.into())
}

/// Regressions against the JSON of an earlier run, each naming its case and figures.
///
/// Accuracy is compared exactly: a larger ratio or forward error, a result that is missing or failed, is a regression; when neither
/// kernel nor threads changed the figures are the same to the bit. Speed is compared by medians: slower by a factor above 1.25 and by
/// more than five times 1.4826 √(d² + d₀²), d and d₀ the median absolute deviations.
///
/// # Errors
/// The file is not such a result, was made with other threads, or lacks or contradicts a case of this run.
pub fn compare(baseline: &Value, entries: &[Entry], threads: usize) -> Result<Vec<String>, BaselineError> {
    let results = baseline["results"].as_array().ok_or_else(|| malformed("`results` is not a list"))?;
    let before = baseline["threads"].as_u64().ok_or_else(|| malformed("`threads` is not a count"))?;
    if before != threads as u64 {
        let why = format!("it ran on {before} threads, this run on {threads}; give --threads {before}");
        return Err(BaselineError::Mismatch(why));
    }
    let mut regressions = vec![];
    for entry in entries {
        let label = format!("{} {} {}", entry.kernel, entry.precision, entry.case);
        let same = |r: &&Value| {
            r["kernel"] == entry.kernel.as_str() && r["precision"] == entry.precision.as_str() && r["case"] == entry.case.as_str()
        };
        let old = results.iter().find(same).ok_or_else(|| BaselineError::Mismatch(format!("no result for {label}")))?;
        if old["seed"].as_str() != Some(entry.seed.to_string().as_str()) {
            return Err(BaselineError::Mismatch(format!("{label} has another seed")));
        }
        accuracy(old, entry, &label, &mut regressions)?;
        if let (Some(speed), false) = (&entry.speed, old["speed"].is_null()) {
            let slower = slower(&old["speed"], speed, &label)?;
            regressions.extend(slower);
        }
    }
    Ok(regressions)
}

/// A decimal in a string, or infinity; never NaN or negative.
fn figure(value: &Value, what: &str) -> Result<f64, BaselineError> {
    let number = value.as_str().and_then(|s| s.parse::<f64>().ok()).filter(|x| *x >= 0.0);
    number.ok_or_else(|| malformed(format!("{what} is {value}, not a decimal in a string")))
}

fn accuracy(old: &Value, entry: &Entry, label: &str, regressions: &mut Vec<String>) -> Result<(), BaselineError> {
    let outcome = old["outcome"].as_str().ok_or_else(|| malformed(format!("{label} has no outcome")))?;
    let score = match (&entry.outcome, outcome) {
        (Outcome::Scored(score), "scored") => score,
        (Outcome::NotOffered(why), "scored") | (Outcome::Failed(why), "scored" | "not-offered") => {
            regressions.push(format!("{label}: {outcome} before, now {why}"));
            return Ok(());
        }
        (_, "not-offered" | "failed") => return Ok(()),
        (_, other) => return Err(malformed(format!("{label} has outcome `{other}`"))),
    };
    let ratios = old["ratios"].as_array().ok_or_else(|| malformed(format!("{label} has no ratios")))?;
    if ratios.len() != score.ratios.len() {
        return Err(BaselineError::Mismatch(format!("{label} has {} ratios, not {}", ratios.len(), score.ratios.len())));
    }
    for (old, new) in ratios.iter().zip(&score.ratios) {
        if old["name"] != new.name {
            return Err(BaselineError::Mismatch(format!("{label} has the ratio {}, not \"{}\"", old["name"], new.name)));
        }
        let value = figure(&old["value"], &format!("{label}, {}", new.name))?;
        if new.value > value {
            regressions.push(format!("{label}: {} ratio {:.6e}, was {value:.6e}", new.name, new.value));
        }
    }
    if let (Some(new), false) = (score.forward_error, old["forward_error"].is_null()) {
        let value = figure(&old["forward_error"], &format!("{label}, forward error"))?;
        if new > value {
            regressions.push(format!("{label}: forward error {new:.6e}, was {value:.6e}"));
        }
    }
    Ok(())
}

fn slower(old: &Value, new: &Speed, label: &str) -> Result<Option<String>, BaselineError> {
    let seconds = |name: &str| {
        let value = old[name].as_f64().filter(|x| x.is_finite() && *x >= 0.0);
        value.ok_or_else(|| malformed(format!("{label}, {name} is {}, not seconds", old[name])))
    };
    let (median, deviation) = (seconds("median")?, seconds("deviation")?);
    let noise = SIGMAS * NORMAL * new.deviation.hypot(deviation);
    let worse = new.median > SLOWER * median && new.median - median > noise;
    Ok(worse.then(|| {
        format!(
            "{label}: {:.3e} s (deviation {:.1e}), was {median:.3e} s (deviation {deviation:.1e}): {:.2} times as long",
            new.median,
            new.deviation,
            new.median / median
        )
    }))
}
