import Glibc

/// The signals that a service answers, taken one at a time by the main thread.
///
/// Made before any other thread, so that every thread inherits the blocked set.
package struct Signals: ~Copyable {
    package enum Signal: Sendable, Equatable {
        /// SIGTERM or SIGINT.
        case stop(isInterrupt: Bool)
        case hangUp
        /// SIGUSR1.
        case report
    }

    private var set = sigset_t()

    /// Blocks the signals for this thread and all threads that it makes.
    package init() throws {
        sigemptyset(&set)
        // SIGUSR2 means nothing, and would end the process if nobody took it.
        for number in [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2] { sigaddset(&set, number) }
        guard pthread_sigmask(SIG_BLOCK, &set, nil) == 0 else {
            throw ServiceError.system("pthread_sigmask", errno)
        }
        signal(SIGPIPE, SIG_IGN)
    }

    /// The next signal; `nil` when none came in time, and for one that means nothing.
    ///
    /// A `nil` timeout waits for ever.
    package func wait(for timeout: Duration?) -> Signal? {
        var set = set
        guard let timeout else { return decode(sigwaitinfo(&set, nil)) }
        let (seconds, attoseconds) = max(.zero, timeout).components
        var limit = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        return decode(sigtimedwait(&set, nil, &limit))
    }

    private func decode(_ number: CInt) -> Signal? {
        switch number {
        case SIGTERM: .stop(isInterrupt: false)
        case SIGINT: .stop(isInterrupt: true)
        case SIGHUP: .hangUp
        case SIGUSR1: .report
        default: nil
        }
    }
}

/// What standard error is connected to.
package enum Terminal {
    package static var standardErrorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }
    package static var standardInputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    /// Whether colours and redrawn lines are welcome.
    package static var standardErrorIsCapable: Bool {
        guard standardErrorIsTerminal, getenv("CI") == nil else { return false }
        guard let kind = getenv("TERM") else { return false }
        return String(cString: kind) != "dumb"
    }

    /// Columns of the terminal, 80 where it does not say.
    package static var width: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
