//! The ioctls of the block layer, one safe function for each. Numbers and argument types are those of `linux/fs.h`. Also two system calls
//! that set how a thread's reads and writes are queued.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::libc::{self, c_int, c_uchar, c_uint, c_ushort, c_void};

use super::scsi::{Answer, SENSE, SYNCHRONIZE_CACHE};

mod raw {
    nix::ioctl_read!(blkgetsize64, 0x12, 114, usize);
    nix::ioctl_read_bad!(blksszget, nix::libc::BLKSSZGET, nix::libc::c_int);
    nix::ioctl_read!(blkgetdiskseq, 0x12, 128, u64);
    nix::ioctl_read_bad!(loop_get_status64, 0x4c05, super::LoopInfo);
    nix::ioctl_write_ptr_bad!(blkzeroout, nix::request_code_none!(0x12, 127), [u64; 2]);
    // Its number is that of a `long`, but it moves an `int` (ioctl_iflags(2)).
    nix::ioctl_read_bad!(get_flags, nix::request_code_read!(b'f', 1, size_of::<nix::libc::c_long>()), nix::libc::c_int);
    nix::ioctl_write_ptr_bad!(set_flags, nix::request_code_write!(b'f', 2, size_of::<nix::libc::c_long>()), nix::libc::c_int);
    nix::ioctl_none_bad!(blkflsbuf, nix::request_code_none!(0x12, 97));
    nix::ioctl_readwrite_bad!(sg_io, 0x2285, super::SgIoHeader);
}

/// The structure `sg_io_hdr` of `include/scsi/sg.h`.
#[repr(C)]
struct SgIoHeader {
    interface_id: c_int,
    dxfer_direction: c_int,
    cmd_len: c_uchar,
    mx_sb_len: c_uchar,
    iovec_count: c_ushort,
    dxfer_len: c_uint,
    dxferp: *mut c_void,
    cmdp: *const c_uchar,
    sbp: *mut c_uchar,
    timeout: c_uint,
    flags: c_uint,
    pack_id: c_int,
    usr_ptr: *mut c_void,
    status: c_uchar,
    masked_status: c_uchar,
    msg_status: c_uchar,
    sb_len_wr: c_uchar,
    host_status: c_ushort,
    driver_status: c_ushort,
    resid: c_int,
    duration: c_uint,
    info: c_uint,
}

/// The interface id `S`; a command that moves no data (`SG_DXFER_NONE`), and one whose data comes from the device (`SG_DXFER_FROM_DEV`).
const SG_INTERFACE: c_int = 0x53;
const SG_NO_DATA: c_int = -1;
const SG_FROM_DEVICE: c_int = -3;

/// Sends SYNCHRONIZE CACHE to the SCSI device behind `device` and waits for its answer, at most `patience` plus the time that the kernel
/// then needs to recover the device. It is not repeated.
///
/// # Errors
/// The error of the kernel if it does not send it; `ENOTTY` if the device is not a SCSI device.
pub(super) fn synchronize_cache(device: &File, patience: Duration) -> io::Result<Answer> {
    ask_scsi(device, &SYNCHRONIZE_CACHE, &mut [], patience).map(|(answer, _)| answer)
}

/// Sends a command whose data, if there is room for any, comes from the device, and returns the answer with the number of bytes that came.
/// Otherwise as [`synchronize_cache`].
///
/// # Errors
/// The error of the kernel if it does not send it; `ENOTTY` if the device is not a SCSI device.
pub(super) fn ask_scsi(device: &File, command: &[u8], data: &mut [u8], patience: Duration) -> io::Result<(Answer, usize)> {
    let mut sense = [0; SENSE];
    let wrong_length = |_too_long| io::Error::from_raw_os_error(libc::EINVAL);
    let mut header = SgIoHeader {
        interface_id: SG_INTERFACE,
        dxfer_direction: if data.is_empty() { SG_NO_DATA } else { SG_FROM_DEVICE },
        cmd_len: c_uchar::try_from(command.len()).map_err(wrong_length)?,
        mx_sb_len: 32,
        iovec_count: 0,
        dxfer_len: c_uint::try_from(data.len()).map_err(wrong_length)?,
        dxferp: if data.is_empty() { std::ptr::null_mut() } else { data.as_mut_ptr().cast() },
        cmdp: command.as_ptr(),
        sbp: sense.as_mut_ptr(),
        timeout: c_uint::try_from(patience.as_millis()).unwrap_or(c_uint::MAX),
        flags: 0,
        pack_id: 0,
        usr_ptr: std::ptr::null_mut(),
        status: 0,
        masked_status: 0,
        msg_status: 0,
        sb_len_wr: 0,
        host_status: 0,
        driver_status: 0,
        resid: 0,
        duration: 0,
        info: 0,
    };
    // SAFETY: SG_IO reads and writes one sg_io_hdr, reads `cmd_len` bytes at `cmdp`, and writes at most `mx_sb_len` at `sbp` and `dxfer_len`
    // at `dxferp`: a header, the command, 32 bytes and `data`, of exactly these lengths, all of which outlive the call.
    unsafe { raw::sg_io(device.as_raw_fd(), &raw mut header) }?;
    let sense = sense[..usize::from(header.sb_len_wr).min(SENSE)].to_vec();
    let missing = usize::try_from(header.resid).unwrap_or(0).min(data.len());
    Ok((Answer { status: header.status, host: header.host_status, sense }, data.len() - missing))
}

/// `struct loop_info64` of `linux/loop.h`: 232 bytes, of which two numbers are used here.
#[repr(C)]
pub(super) struct LoopInfo {
    /// The device that contains the backing file.
    pub(super) device: u64,
    inode: u64,
    /// The device number of the backing file, if it is a device.
    pub(super) rdevice: u64,
    offset_and_limit: [u64; 2],
    numbers_and_flags: [u32; 4],
    names: [u8; 128],
    key: [u8; 32],
    init: [u64; 2],
}

/// The backing of a loop device (`LOOP_GET_STATUS64`).
///
/// # Errors
/// The error of the kernel; `ENXIO` if it has no backing.
pub(super) fn loop_info(device: &File) -> io::Result<LoopInfo> {
    let mut info = LoopInfo {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset_and_limit: [0; 2],
        numbers_and_flags: [0; 4],
        names: [0; 128],
        key: [0; 32],
        init: [0; 2],
    };
    // SAFETY: LOOP_GET_STATUS64 stores one `struct loop_info64` through its argument; `info` is laid out as one and outlives the call.
    unsafe { raw::loop_get_status64(device.as_raw_fd(), &raw mut info) }?;
    Ok(info)
}

/// The flag `FS_NOCOW_FL` of `linux/fs.h`.
const NO_COPY_ON_WRITE: c_int = 0x0080_0000;

/// Files that are made in this directory from now on are written in place (`FS_IOC_SETFLAGS`).
///
/// # Errors
/// The error of the kernel; `ENOTTY` or `EOPNOTSUPP` if the file system does not support it.
pub(super) fn write_in_place(directory: &File) -> io::Result<()> {
    let mut flags: c_int = 0;
    // SAFETY: FS_IOC_GETFLAGS stores one int through its argument; `flags` is one and outlives the call.
    unsafe { raw::get_flags(directory.as_raw_fd(), &raw mut flags) }?;
    flags |= NO_COPY_ON_WRITE;
    // SAFETY: FS_IOC_SETFLAGS reads one int through its argument; `flags` is one and outlives the call.
    unsafe { raw::set_flags(directory.as_raw_fd(), &raw const flags) }?;
    Ok(())
}

/// The device's length in bytes (`BLKGETSIZE64`); 0 after its medium left.
///
/// # Errors
/// The error of the kernel.
pub(super) fn length(device: &File) -> io::Result<u64> {
    let mut bytes: usize = 0;
    // SAFETY: BLKGETSIZE64 stores one u64 through its argument; `bytes` is as wide on the 64-bit targets this crate builds for, and
    // outlives the call.
    unsafe { raw::blkgetsize64(device.as_raw_fd(), &raw mut bytes) }?;
    Ok(crate::station::units::to_u64(bytes))
}

/// The logical block in bytes (`BLKSSZGET`).
///
/// # Errors
/// The error of the kernel.
pub(super) fn logical_block(device: &File) -> io::Result<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: BLKSSZGET stores one int through its argument; `bytes` is one and outlives the call.
    unsafe { raw::blksszget(device.as_raw_fd(), &raw mut bytes) }?;
    u32::try_from(bytes).map_err(|_negative| io::Error::from_raw_os_error(libc::EINVAL))
}

/// The medium's sequence number (`BLKGETDISKSEQ`, since Linux 5.15).
///
/// # Errors
/// The error of the kernel; `ENOTTY` before 5.15.
pub(super) fn diskseq(device: &File) -> io::Result<u64> {
    let mut sequence: u64 = 0;
    // SAFETY: BLKGETDISKSEQ stores one u64 through its argument; `sequence` is one and outlives the call.
    unsafe { raw::blkgetdiskseq(device.as_raw_fd(), &raw mut sequence) }?;
    Ok(sequence)
}

/// Makes the kernel write zeroes (`BLKZEROOUT`). It never uses a discard with undefined contents, which the kernel itself rules out
/// (`blkdev_issue_zeroout` with `BLKDEV_ZERO_NOUNMAP`). Offset and length are multiples of the logical block.
///
/// # Errors
/// The error of the kernel.
pub(super) fn zero(device: &File, at: u64, length: u64) -> io::Result<()> {
    let range = [at, length];
    // SAFETY: BLKZEROOUT reads two u64 through its argument; `range` is two and outlives the call.
    unsafe { raw::blkzeroout(device.as_raw_fd(), &raw const range) }?;
    Ok(())
}

/// Writes back and forgets what the kernel keeps of the disk in its page cache (`BLKFLSBUF`).
///
/// # Errors
/// The error of the kernel; `EACCES` without the capability for it.
pub(super) fn forget_pages(device: &File) -> io::Result<()> {
    // SAFETY: BLKFLSBUF takes no argument and touches no memory of ours.
    unsafe { raw::blkflsbuf(device.as_raw_fd()) }?;
    Ok(())
}

/// `IOPRIO_WHO_PROCESS` of `linux/ioprio.h`: one thread, 0 the calling one.
const ONE_THREAD: c_int = 1;
/// The position of the class in an I/O priority.
const CLASS_SHIFT: u32 = 13;
/// `IOPRIO_CLASS_IDLE`: served when no other request waits for the disk.
const CLASS_IDLE: c_int = 3;

/// Gives the calling thread's reads and writes the lowest priority (`ioprio_set`).
///
/// # Errors
/// The error of the kernel; `ENOSYS` if it was built without a block layer.
pub(super) fn set_io_idle() -> io::Result<()> {
    // SAFETY: ioprio_set takes three numbers and touches no memory of ours.
    let answer = unsafe { libc::syscall(libc::SYS_ioprio_set, ONE_THREAD, 0, CLASS_IDLE << CLASS_SHIFT) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The class of the calling thread's reads and writes (`ioprio_get`).
#[cfg(test)]
pub(super) fn io_class() -> io::Result<i32> {
    // SAFETY: ioprio_get takes two numbers and touches no memory of ours.
    let answer = unsafe { libc::syscall(libc::SYS_ioprio_get, ONE_THREAD, 0) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(answer >> CLASS_SHIFT).unwrap_or(-1)) }
}

/// Sets the calling thread's niceness (`setpriority`; on Linux it applies to the thread, unlike POSIX: sched(7)).
///
/// # Errors
/// The error of the kernel.
pub(super) fn set_niceness(niceness: c_int) -> io::Result<()> {
    // SAFETY: setpriority takes three numbers and touches no memory of ours.
    let answer = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

const _: () = assert!(size_of::<LoopInfo>() == 232, "as long as the kernel's");

#[cfg(not(target_pointer_width = "64"))]
compile_error!("BLKGETSIZE64 stores 64 bits where its number says size_t: build for a 64-bit target");
