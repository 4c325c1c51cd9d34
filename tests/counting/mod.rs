//! A global allocator that counts, GMP's and MPFR's memory included.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ffi::c_void,
    sync::{
        Mutex, MutexGuard, Once,
        atomic::{AtomicUsize, Ordering},
    },
};

use gmp_mpfr_sys::gmp;

/// Counts what is in use, and the most there was.
///
/// Not counted: blocks of whole pages. Each thread's first product of doubles in faer reserves address space for packed operands, of twice
/// the size of the largest cache, and touches what it packs.
struct Counting;

fn counted(block: Layout) -> usize {
    if block.align() < PAGE { block.size() } else { 0 }
}

const PAGE: usize = 4096;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Layout) -> *mut u8 {
        let used = USED.fetch_add(counted(block), Ordering::Relaxed) + counted(block);
        PEAK.fetch_max(used, Ordering::Relaxed);
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, block: Layout) {
        USED.fetch_sub(counted(block), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, block) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The layout of a block of GMP's: the system's allocator serves it as `malloc` does.
fn limbs(size: usize) -> Layout {
    Layout::from_size_align(size.max(1), align_of::<u64>()).expect("a small alignment")
}

extern "C" fn allocate(size: usize) -> *mut c_void {
    // SAFETY: the size is not zero.
    unsafe { ALLOCATOR.alloc(limbs(size)).cast() }
}

// SAFETY (both): GMP gives back what it got, with its size.
unsafe extern "C" fn reallocate(block: *mut c_void, old: usize, new: usize) -> *mut c_void {
    unsafe { ALLOCATOR.realloc(block.cast(), limbs(old), limbs(new).size()).cast() }
}

unsafe extern "C" fn free(block: *mut c_void, size: usize) {
    unsafe { ALLOCATOR.dealloc(block.cast(), limbs(size)) }
}

/// Held while a test measures, and while one makes large files: no other's memory counts.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    static COUNT_GMP: Once = Once::new();
    // SAFETY: the functions are as GMP asks for them; no number exists yet in the tests that measure.
    COUNT_GMP.call_once(|| unsafe { gmp::set_memory_functions(Some(allocate), Some(reallocate), Some(free)) });
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What `body` returns, and what it takes at its peak beyond what was in use before, in bytes.
pub fn peak<T>(_alone: &MutexGuard<'static, ()>, body: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = body();
    (result, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}
