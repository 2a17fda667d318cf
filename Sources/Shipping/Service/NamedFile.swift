internal import FileTailing
internal import Glibc

/// A file that somebody named: what it is, and why it cannot be read.
struct NamedFile {
    /// What stands under a name.
    enum Kind {
        case regular, folder, pipe, device, socket

        fileprivate init(mode: mode_t) {
            switch mode & S_IFMT {
            case S_IFDIR: self = .folder
            case S_IFIFO: self = .pipe
            case S_IFSOCK: self = .socket
            case S_IFCHR, S_IFBLK: self = .device
            default: self = .regular
            }
        }
    }

    let path: String

    init(_ path: String) {
        self.path = path
    }

    /// - Throws: `ServiceError` (66) when there is nothing under the name.
    func kind() throws -> Kind {
        var status = stat()
        guard stat(path, &status) == 0 else { throw unreadable(errno) }
        return Kind(mode: status.st_mode)
    }

    /// Opens a file that can be read again, from any place.
    ///
    /// - Throws: `ServiceError` (66) that says what the name leads to instead, and what to do.
    func openRegular(decompresses: Bool) throws -> TailedFile {
        let remedy = "write what it gives to a file, so that the job can go on in it later"
        switch try kind() {
        case .regular: break
        case .folder:
            let inside = path + (path.hasSuffix("/") ? "" : "/")
            throw ServiceError(.noInput, "\(path) is a folder; name the files in it: \(inside)*")
        case .pipe: throw ServiceError(.noInput, "\(path) is a pipe; \(remedy)")
        case .device: throw ServiceError(.noInput, "\(path) is a device; \(remedy)")
        case .socket: throw ServiceError(.noInput, "\(path) is a socket; \(remedy)")
        }
        do {
            return try TailedFile(opening: path, on: LinuxDisk(), decompresses: decompresses)
        } catch {
            throw unreadable(error.code)
        }
    }

    /// Why it cannot be opened or read, by the kernel's `errno`.
    func unreadable(_ code: CInt) -> ServiceError {
        // What is no text in a name has become U+FFFD on its way here, and that is another name.
        if code == ENOENT, path.unicodeScalars.contains("\u{FFFD}") {
            return unreadable(because: "its name is not UTF-8; rename it")
        }
        return unreadable(because: systemErrorText(code))
    }

    private func unreadable(because reason: String) -> ServiceError {
        ServiceError(.noInput, "\(path) cannot be read: \(reason)")
    }
}
