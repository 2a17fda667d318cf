import Glibc

/// A pipe that wakes a thread which sleeps in `poll`.
///
/// Any thread may call `wake()`; the sleeper polls `descriptor` and calls `drain()`.
package final class WakePipe: Sendable {
    package let descriptor: CInt
    private let writeEnd: CInt

    /// Opens the pipe.
    ///
    /// - Throws: `ServiceError` when the process has no descriptors left.
    package init() throws {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { throw ServiceError.system("pipe", errno) }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        descriptor = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(descriptor)
        close(writeEnd)
    }

    package func wake() {
        var byte: UInt8 = 1
        // A full pipe means that the sleeper is already due to wake.
        _ = write(writeEnd, &byte, 1)
    }

    package func drain() {
        withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { scratch in
            while read(descriptor, scratch.baseAddress, 256) == 256 {}
        }
    }
}

/// Sleeps until one of the descriptors can be read or the time has come.
///
/// A `nil` deadline sleeps without limit. Wakes up to a millisecond late, never early. Returns the
/// descriptors that have bytes, an end or an error to read.
@discardableResult
package func waitForInput(
    _ descriptors: [CInt],
    until deadline: ContinuousClock.Instant?,
    now: ContinuousClock.Instant
) -> [CInt] {
    var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let timeout = deadline.map { milliseconds(until: $0, now) } ?? -1
    guard poll(&polled, nfds_t(polled.count), timeout) > 0 else { return [] }
    return polled.filter { $0.revents != 0 }.map(\.fd)
}

private func milliseconds(until deadline: ContinuousClock.Instant, _ now: ContinuousClock.Instant)
    -> CInt
{
    let (seconds, attoseconds) = max(.zero, deadline - now).components
    let rest = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    return CInt(min(seconds, 3600) * 1000 + rest)
}

/// Milliseconds since 1970, for record timestamps and logs.
package func wallClockMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}

/// When the host began to run.
func bootTime() -> ContinuousClock.Instant {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return .now - .seconds(Int64(time.tv_sec))
}
