import Glibc

/// Talk: everything that is not data goes here.
///
/// Where nobody can be told, nobody is told that either.
package func writeToStandardError(_ text: String) {
    _ = writeAll(text, to: STDERR_FILENO)
}

/// Data: what another program would read.
///
/// A pipe that its reader has closed ends the process as SIGPIPE does, without a word.
///
/// - Throws: `ServiceError` (74) when not all of it could be written.
package func writeToStandardOutput(_ text: String) throws {
    try checkOutput(writeAll(text, to: STDOUT_FILENO))
}

/// Data that need not be text.
///
/// - Throws: `ServiceError` (74) when not all of it could be written.
package func writeToStandardOutput(_ bytes: [UInt8]) throws {
    try checkOutput(bytes.withUnsafeBytes { writeAll($0, to: STDOUT_FILENO) })
}

private func checkOutput(_ code: CInt) throws {
    if code == EPIPE { endByBrokenPipe() }
    guard code == 0 else {
        throw ServiceError(
            .outputFailed,
            "cannot write to standard output: \(systemErrorText(code))"
        )
    }
}

private func writeAll(_ text: String, to descriptor: CInt) -> CInt {
    var text = text
    return text.withUTF8 { writeAll(UnsafeRawBufferPointer($0), to: descriptor) }
}

/// The `errno` that stopped it; 0 if nothing did.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt) -> CInt {
    var rest = bytes
    while let start = rest.baseAddress, !rest.isEmpty {
        let written = write(descriptor, start, rest.count)
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { return errno }
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
    return 0
}

/// What the kernel would have done to a process that does not ignore the signal.
private func endByBrokenPipe() {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGPIPE)
    signal(SIGPIPE, SIG_DFL)
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    raise(SIGPIPE)
}
