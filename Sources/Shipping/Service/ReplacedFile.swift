internal import Glibc

/// Writes files of which no reader ever sees a part.
package enum ReplacedFile {
    /// Puts other content into a file that is there; its mode stays.
    ///
    /// - Throws: `ServiceError` (73).
    package static func replace(_ path: String, with bytes: [UInt8]) throws {
        let target = resolved(path)
        var status = stat()
        guard stat(target, &status) == 0 else { throw unwritable(path, errno) }
        let temporary = "\(target).\(getpid()).new"
        try write(bytes, to: temporary, mode: status.st_mode & 0o7777, shown: path)
        guard rename(temporary, target) == 0 else {
            defer { unlink(temporary) }
            throw unwritable(path, errno)
        }
    }

    /// Makes a file that is not there yet.
    ///
    /// - Throws: `ServiceError` (73), also when there is such a file.
    package static func create(_ path: String, with bytes: [UInt8]) throws {
        try write(bytes, to: path, mode: 0o644, shown: path)
    }

    private static func write(
        _ bytes: [UInt8],
        to path: String,
        mode: mode_t,
        shown: String
    ) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            guard errno != EEXIST else {
                throw ServiceError(.cannotCreate, "\(path) is there already; it is left as it is")
            }
            throw unwritable(shown, errno)
        }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                defer { unlink(path) }
                throw unwritable(shown, errno)
            }
            rest = rest.dropFirst(count)
        }
        guard fsync(descriptor) == 0 else {
            defer { unlink(path) }
            throw unwritable(shown, errno)
        }
    }

    /// Where a link leads: the file is replaced, not the link.
    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    private static func unwritable(_ path: String, _ code: CInt) -> ServiceError {
        ServiceError(.cannotCreate, "\(path) cannot be written: \(systemErrorText(code))")
    }
}
