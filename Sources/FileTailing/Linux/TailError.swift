import Glibc

/// Why a file could not be opened or read.
package struct TailError: Error, Equatable, CustomStringConvertible {
    /// The kernel's `errno`.
    package var code: Int32
    package var path: String

    package init(code: Int32, path: String) {
        self.code = code
        self.path = path
    }

    /// The name leads nowhere, or to something else than before.
    package static func gone(_ path: String) -> TailError { TailError(code: ESTALE, path: path) }

    package var isGone: Bool { code == ENOENT || code == ENOTDIR || code == ESTALE }

    /// Whether the process or the system has no descriptor left.
    package var isDescriptorLimit: Bool { code == EMFILE || code == ENFILE }

    /// Whether the kernel gives no more watches.
    package var isWatchLimit: Bool { code == ENOSPC || code == ENOMEM || code == EMFILE }

    package var reason: String { String(cString: strerror(code)) }

    package var description: String { "cannot read '\(path)': \(reason)" }
}
