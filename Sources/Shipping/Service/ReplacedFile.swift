internal import Glibc

/// Writes files of which no reader ever sees a part.
package enum ReplacedFile {
    /// Puts a new content under a name at once: whoever opens it finds the old one or the new one.
    ///
    /// - Throws: `ServiceError` (73); then the old content stands.
    package static func replace(_ path: String, with bytes: [UInt8]) throws {
        // The name may be a link, which shall stay one.
        guard let resolved = realpath(path, nil) else { throw unwritable(path, "replaced", errno) }
        defer { free(resolved) }
        let target = String(cString: resolved)
        let beside = "\(target).\(getpid()).new"
        var status = stat()
        guard stat(target, &status) == 0 else { throw unwritable(path, "replaced", errno) }
        let descriptor = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw unwritable(path, "replaced", errno) }
        defer { close(descriptor) }
        var code = bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
        // Only root may give files away; for others it is their own already, or becomes that.
        _ = fchown(descriptor, status.st_uid, status.st_gid)
        if code == 0, fchmod(descriptor, status.st_mode & 0o7777) != 0 { code = errno }
        if code == 0, fsync(descriptor) != 0 { code = errno }
        if code == 0, rename(beside, target) != 0 { code = errno }
        guard code == 0 else {
            unlink(beside)
            throw unwritable(path, "replaced", code)
        }
    }

    /// Makes a file that is not there yet.
    ///
    /// - Throws: `ServiceError` (73), also when there is such a file.
    package static func create(_ path: String, with bytes: [UInt8]) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            guard errno != EEXIST else {
                throw ServiceError(.cannotCreate, "\(path) is there already; it is left as it is")
            }
            throw unwritable(path, "written", errno)
        }
        defer { close(descriptor) }
        var code = bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
        if code == 0, fsync(descriptor) != 0 { code = errno }
        guard code == 0 else {
            unlink(path)
            throw unwritable(path, "written", code)
        }
    }

    private static func unwritable(_ path: String, _ verb: String, _ code: CInt) -> ServiceError {
        ServiceError(.cannotCreate, "\(path) cannot be \(verb): \(systemErrorText(code))")
    }
}
