//! Wasmtime's search for the pages that a guest has written (PAGEMAP_SCAN, Linux 6.7), answered so that a slot is reset
//! whole and cheaply.
//!
//! What Wasmtime 48.0.8 asks for misses pages that the kernel has moved or swapped out meanwhile, which the slot's next
//! guest would read, and all that lies behind the 32nd run of pages is given back and faulted in anew (bytecodealliance/wasmtime,
//! pull request 14357). Here such pages are found, and runs that lie close to each other are made one until there are
//! no more than Wasmtime takes. tools/dev/bridge.sh gives the archive's references to `ioctl` this function's name.

use libc::{_SC_PAGESIZE, SYS_ioctl, c_int, c_ulong, c_void, syscall, sysconf};
use std::ptr::{copy_nonoverlapping, null_mut};

/// include/uapi/linux/fs.h
const PAGEMAP_SCAN: c_ulong = 0xc060_6610;
const WRITTEN: u64 = 1 << 1;
const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4; // or moving
const ZERO: u64 = 1 << 5;

/// No request of the kernel's.
const ASK: c_ulong = 0;
const ANSWER: c_int = 48;

/// Runs that are fetched at once.
const ROOM: usize = 256;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Run {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`
#[repr(C)]
#[derive(Clone, Copy)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    runs: u64,
    run_count: u64,
    pages_max: u64,
    category_inverted: u64,
    category_mask: u64,
    category_any_of_mask: u64,
    return_mask: u64,
}

impl Scan {
    /// Whether this is how Wasmtime asks when it resets a slot.
    fn is_of_reset(&self) -> bool {
        self.size == size_of::<Scan>() as u64
            && self.flags == 0
            && self.category_mask == WRITTEN | PRESENT | ZERO | FILE
            && self.category_inverted == ZERO | FILE
            && self.category_any_of_mask == 0
            && self.return_mask == 0
            && self.run_count > 0
            && self.runs != 0
    }
}

/// Join runs with the smallest gaps between them until there are at most `most`; how many there are then.
fn join(runs: &mut [Run], most: usize) -> usize {
    let mut count = runs.len();
    let mut gap = 0;
    while count > 0 {
        let mut kept = 0;
        for index in 1..count {
            if runs[index].start - runs[kept].end <= gap {
                runs[kept].end = runs[index].end;
            } else {
                kept += 1;
                runs[kept] = runs[index];
            }
        }
        count = count.min(kept + 1);
        if count <= most {
            return count;
        }
        gap = (gap * 2).max(4096);
    }
    0
}

/// Cut runs off where they exceed `bytes` together: how many are left, and where what was cut off begins.
fn cut(runs: &mut [Run], mut bytes: u64) -> (usize, Option<u64>) {
    for (index, run) in runs.iter_mut().enumerate() {
        let size = run.end - run.start;
        if size > bytes {
            run.end = run.start + bytes;
            return (index + usize::from(bytes > 0), Some(run.end));
        }
        bytes -= size;
    }
    (runs.len(), None)
}

/// Answer a scan as the kernel would: the number of runs, or -1 with errno set.
unsafe fn search(pagemap: c_int, asked: &mut Scan) -> c_int {
    let page_size = unsafe { sysconf(_SC_PAGESIZE) } as u64;
    let most = asked.run_count as usize;
    let mut runs = [Run::default(); ROOM];
    let mut count = 0;
    let mut at = asked.start;
    let mut pages = asked.pages_max; // 0: as many as there are
    loop {
        let room = &mut runs[count..];
        let mut scan = Scan {
            start: at,
            runs: room.as_mut_ptr() as u64,
            run_count: room.len() as u64,
            pages_max: pages,
            category_mask: WRITTEN | ZERO | FILE,
            category_any_of_mask: PRESENT | SWAPPED,
            ..*asked
        };
        let found = unsafe { syscall(SYS_ioctl, pagemap, PAGEMAP_SCAN, &raw mut scan) };
        let Ok(found) = usize::try_from(found) else {
            if count == 0 {
                return -1;
            }
            break; // what lies behind is given back
        };
        let full = found == room.len();
        let taken: u64 = room[..found].iter().map(|run| (run.end - run.start) / page_size).sum();
        pages = pages.saturating_sub(taken);
        count += found;
        at = scan.walk_end;
        if !full || at >= asked.end || (asked.pages_max > 0 && pages == 0) {
            break;
        }
        count = join(&mut runs[..count], most.min(ROOM / 2));
    }
    count = join(&mut runs[..count], most);
    if asked.pages_max > 0 {
        let (left, end) = cut(&mut runs[..count], asked.pages_max * page_size);
        count = left;
        at = end.unwrap_or(at);
    }
    unsafe { copy_nonoverlapping(runs.as_ptr(), asked.runs as *mut Run, count) };
    asked.walk_end = at;
    count as c_int
}

/// ioctl(2), as the crates of this archive call it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_bridge_ioctl(descriptor: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    if request == ASK && descriptor == -1 {
        return ANSWER;
    }
    if request == PAGEMAP_SCAN
        && let Some(scan) = unsafe { argument.cast::<Scan>().as_mut() }
        && scan.is_of_reset()
    {
        return unsafe { search(descriptor, scan) };
    }
    unsafe { syscall(SYS_ioctl, descriptor, request, argument) as c_int }
}

#[unsafe(no_mangle)]
pub extern "C" fn weir_written_pages_are_found() -> bool {
    unsafe { libc::ioctl(-1, ASK, null_mut::<c_void>()) == ANSWER }
}
