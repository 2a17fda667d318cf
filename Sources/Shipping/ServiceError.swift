/// Why Forktail could not start, or had to stop.
///
/// `exitCode` follows sysexits, as `docs/operating.md` lists them.
package struct ServiceError: Error, CustomStringConvertible, Sendable {
    package let exitCode: ExitStatus
    package let description: String

    /// - Parameter message: one line; names of files may stand in it as they are.
    /// - Parameter details: lines that follow it.
    package init(_ exitCode: ExitStatus, _ message: String, details: String = "") {
        self.exitCode = exitCode
        description = message.printable + details
    }

    package static func system(_ call: String, _ code: CInt) -> ServiceError {
        ServiceError(.cannotCreate, "\(call) failed: \(systemErrorText(code))")
    }
}

/// What the process says to its parent when it ends.
package enum ExitStatus: Int32, Sendable {
    case success = 0
    /// A test block failed.
    case testsFailed = 1
    /// Nothing is sent, or not everywhere.
    case stopped = 2
    /// The command line asks for what there is not.
    case usage = 64
    /// More records failed than the caller allows.
    case dataError = 65
    /// An input file cannot be opened.
    case noInput = 66
    /// Kafka cannot be reached.
    case unavailable = 69
    /// Something that must not happen, happened.
    case software = 70
    /// The state directory cannot be written.
    case cannotCreate = 73
    /// Standard output cannot be written.
    case outputFailed = 74
    /// Interrupted before all was done; can be resumed.
    case temporary = 75
    /// Kafka does not let this client in, or is not the cluster that it should be.
    case noPermission = 77
    /// The pipeline or the configuration is wrong.
    case configuration = 78
    /// A second Ctrl-C.
    case interrupted = 130

    /// A service runs, and does not do all that it should yet.
    package static let degraded = ExitStatus.testsFailed
}
