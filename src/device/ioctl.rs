//! The block layer's ioctls, one safe function each. Numbers and argument types are those of `linux/fs.h`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::libc;

mod raw {
    nix::ioctl_read!(blkgetsize64, 0x12, 114, usize);
    nix::ioctl_read_bad!(blksszget, nix::libc::BLKSSZGET, nix::libc::c_int);
    nix::ioctl_read!(blkgetdiskseq, 0x12, 128, u64);
    nix::ioctl_write_ptr_bad!(blkzeroout, nix::request_code_none!(0x12, 127), [u64; 2]);
}

/// The device's length in bytes (`BLKGETSIZE64`); 0 after its medium left.
///
/// # Errors
/// What the kernel answered.
pub(super) fn length(device: &File) -> io::Result<u64> {
    let mut bytes: usize = 0;
    // SAFETY: BLKGETSIZE64 stores one u64 through its argument; `bytes` is as wide on the 64-bit targets this crate builds for, and outlives the call.
    unsafe { raw::blkgetsize64(device.as_raw_fd(), &raw mut bytes) }?;
    Ok(crate::station::units::to_u64(bytes))
}

/// The logical block in bytes (`BLKSSZGET`).
///
/// # Errors
/// What the kernel answered.
pub(super) fn logical_block(device: &File) -> io::Result<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: BLKSSZGET stores one int through its argument; `bytes` is one and outlives the call.
    unsafe { raw::blksszget(device.as_raw_fd(), &raw mut bytes) }?;
    u32::try_from(bytes).map_err(|_negative| io::Error::from_raw_os_error(libc::EINVAL))
}

/// The medium's sequence number (`BLKGETDISKSEQ`, since Linux 5.15).
///
/// # Errors
/// What the kernel answered; `ENOTTY` before 5.15.
pub(super) fn diskseq(device: &File) -> io::Result<u64> {
    let mut sequence: u64 = 0;
    // SAFETY: BLKGETDISKSEQ stores one u64 through its argument; `sequence` is one and outlives the call.
    unsafe { raw::blkgetdiskseq(device.as_raw_fd(), &raw mut sequence) }?;
    Ok(sequence)
}

/// Has the kernel write zeroes (`BLKZEROOUT`): never by a discard whose contents would be undefined, which it rules out itself
/// (`blkdev_issue_zeroout` with `BLKDEV_ZERO_NOUNMAP`). Offset and length are multiples of the logical block.
///
/// # Errors
/// What the kernel answered.
pub(super) fn zero(device: &File, at: u64, length: u64) -> io::Result<()> {
    let range = [at, length];
    // SAFETY: BLKZEROOUT reads two u64 through its argument; `range` is two and outlives the call.
    unsafe { raw::blkzeroout(device.as_raw_fd(), &raw const range) }?;
    Ok(())
}

#[cfg(not(target_pointer_width = "64"))]
compile_error!("BLKGETSIZE64 stores 64 bits where its number says size_t: build for a 64-bit target");
