//! Digits with growing weights summed into limbs.

/// Sums v_d 2^(w_d), w_d not decreasing, into limbs.
pub(super) struct Stream {
    limbs: Vec<u64>,
    pending: i128,
    base: u64,
}

impl Stream {
    pub fn new() -> Self {
        Stream { limbs: vec![], pending: 0, base: 0 }
    }

    pub fn clear(&mut self) {
        self.limbs.clear();
        (self.pending, self.base) = (0, 0);
    }

    /// Adds `v · 2^weight`, |v| <= 2^54. What is pending is below 2^64 + (number of digits of one limb) · 2^118.
    #[inline]
    pub fn add(&mut self, v: i64, weight: u64) {
        while weight >= self.base + 64 {
            self.shift();
        }
        self.pending += i128::from(v) << (weight - self.base);
    }

    fn shift(&mut self) {
        self.limbs.push(self.pending as u64);
        self.pending >>= 64;
        self.base += 64;
    }

    /// Limbs of the magnitude, the least first, and whether the sum is negative.
    pub fn finish(&mut self) -> (&[u64], bool) {
        self.shift();
        self.shift();
        let negative = self.pending < 0;
        if negative {
            let mut carry = true;
            for limb in &mut self.limbs {
                (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
            }
        }
        (&self.limbs, negative)
    }
}
