//! Memory while features stream from a file: a process of its own, so that its peak is this work's.
#![cfg(target_os = "linux")]

mod cli_support;

use std::io::Write;

use cli_support::{Desk, npy};
use ufm::metrics::{Container, Convention, Features, Layout, measure};

const MIB: u64 = 1 << 20;

/// Peak resident memory of this process, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// A block, the sums and the labels, whatever the file's size. Resident memory counts: the products reserve far more than they touch.
#[test]
fn streaming_is_bounded() {
    let (n, d, k) = (400_000u32, 64u32, 10u32);
    let desk = Desk::new();
    let mut file = std::io::BufWriter::new(std::fs::File::create(desk.path("f.npy")).unwrap());
    file.write_all(&npy("<f4", false, &format!("({n}, {d})"), &[])).unwrap();
    for i in 0..n {
        for j in 0..d {
            let x = f32::from(u8::from(i % k == j)) + 0.001 * f32::from(((i * 13 + j * 7) % 101) as u8);
            file.write_all(&x.to_le_bytes()).unwrap();
        }
    }
    file.flush().unwrap();
    drop(file);
    let labels: Vec<u32> = (0..n).map(|i| i % k).collect();
    let path = desk.path("f.npy");
    let length = std::fs::metadata(&path).unwrap().len();
    let before = peak();
    let container = Container::open(&path).unwrap();
    let features = Features::from_array(container.arrays()[0].clone(), Layout::SamplesByDim).unwrap();
    let m = measure(&features, &labels, None, Convention::Zhu, &|_, _| ()).unwrap();
    assert!(m.get("nc1").unwrap().value > 0.0);
    let taken = peak() - before;
    println!("{} MiB of {} MiB", taken / MIB, length / MIB);
    assert!(length > 96 * MIB && taken <= 48 * MIB, "{} MiB of {} MiB", taken / MIB, length / MIB);
}
