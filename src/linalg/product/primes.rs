//! Primes to use as moduli.

use std::sync::OnceLock;

use super::residues::{INNER, LARGEST, REDUCIBLE};

/// Primes downwards from `largest`.
pub struct Table {
    pub largest: u64,
    pub primes: Vec<u32>,
    /// Lower bounds of log2 of the product of the primes so far.
    pub bits: Vec<f64>,
}

/// Enough for a product of 2^15 bits.
const COUNT: usize = 2048;
const LEVELS: usize = INNER.ilog2() as usize + 1;

/// Primes m with 2^l ((m + 3)/2)² + (m + 3)/2 <= `REDUCIBLE`, l = ⌈log2 k⌉: a product of inner dimension k and a reduced sum before it.
pub fn below_bound(k: usize) -> &'static Table {
    static TABLES: [OnceLock<Table>; LEVELS] = [const { OnceLock::new() }; LEVELS];
    let level = k.next_power_of_two().ilog2() as usize;
    TABLES[level].get_or_init(|| {
        let terms = (1u64 << level) + 1;
        Table::new((2 * (REDUCIBLE / terms).isqrt() - 3).min(LARGEST))
    })
}

impl Table {
    fn new(largest: u64) -> Self {
        // Sieve of Eratosthenes on the odd numbers of windows below `largest`.
        const WINDOW: u64 = 1 << 16;
        let root = largest.isqrt() as usize + 1;
        let mut composite = vec![false; root + 1];
        let mut small = vec![];
        for p in 2..=root {
            if !composite[p] {
                small.push(p as u64);
                (p * p..=root).step_by(p).for_each(|q| composite[q] = true);
            }
        }
        let mut primes = Vec::with_capacity(COUNT);
        let mut high = largest + 1;
        while primes.len() < COUNT {
            let low = high - WINDOW;
            let mut composite = vec![false; WINDOW as usize];
            for &p in &small {
                let first = low.next_multiple_of(p).max(p * p);
                (first..high).step_by(p as usize).for_each(|q| composite[(q - low) as usize] = true);
            }
            primes.extend((low..high).rev().filter(|q| !composite[(q - low) as usize]).map(|q| q as u32));
            high = low;
        }
        primes.truncate(COUNT);
        // Each logarithm is off by less than 2^−47; 2^−30 covers that and the sums.
        let bits = primes
            .iter()
            .scan(0.0, |sum, &p| {
                *sum += f64::from(p).log2() - 2f64.powi(-30);
                Some(*sum)
            })
            .collect();
        Table { largest, primes, bits }
    }

    /// The least number of primes whose product is at least 2^bits.
    pub fn least_count(&self, bits: u64) -> Option<usize> {
        let count = self.bits.partition_point(|&b| b < bits as f64) + 1;
        (count <= COUNT).then_some(count)
    }
}
