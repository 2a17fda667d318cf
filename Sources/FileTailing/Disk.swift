/// Where files are: the machine's own disk, or a simulated one.
package protocol Disk: Sendable {
    /// Opens the regular file that a path leads to, through symbolic links.
    ///
    /// - Throws: with `isGone` if there is none.
    func open(_ path: String) throws(TailError) -> any DiskFile

    /// Gives each name in a directory but `.` and `..` to `body`.
    ///
    /// - Returns: the directory's own key.
    func list(_ path: String, _ body: (DirectoryEntry) -> Void) throws(TailError) -> FileKey

    /// - Throws: when the kernel gives no more of them.
    func makeHints() throws(TailError) -> any DirectoryHints
}

/// An open file of a disk.
package protocol DiskFile: AnyObject, Sendable {
    /// Reads as `pread` does: fewer bytes than there is room for only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(TailError) -> Int
    /// What `fstat` says of it.
    func status() throws(TailError) -> FileStatus
    /// When it was made, in nanoseconds since 1970, where the file system tells.
    var birthTime: Int64? { get }
}

/// What `fstat` says of a file.
package struct FileStatus: Equatable, Sendable {
    package enum Kind: Equatable, Sendable { case regular, directory, other }

    package var key: FileKey
    package var size: Int64
    /// Nanoseconds since 1970.
    package var modified: Int64
    package var kind: Kind
    /// How many names it has (`st_nlink`); with none, only open descriptors keep its bytes.
    package var links: Int

    package init(key: FileKey, size: Int64, modified: Int64, kind: Kind, links: Int = 1) {
        self.key = key
        self.size = size
        self.modified = modified
        self.kind = kind
        self.links = links
    }
}

/// One name in a directory.
package struct DirectoryEntry {
    package enum Kind: Sendable {
        case file
        case directory
        case link
        case unknown
        case other
    }

    /// Valid until the next entry is read; a NUL follows it.
    package var name: UnsafeRawBufferPointer
    package var inode: UInt64
    package var kind: Kind
    private let directory: any OpenDirectory

    package init(
        name: UnsafeRawBufferPointer,
        inode: UInt64,
        kind: Kind,
        in directory: any OpenDirectory
    ) {
        self.name = name
        self.inode = inode
        self.kind = kind
        self.directory = directory
    }

    /// What the name leads to, through symbolic links; nil if that is gone.
    func status() -> FileStatus? { directory.status(of: name) }

    var text: String { String(decoding: name, as: UTF8.self) }

    /// A number that stands for the name within its directory.
    var nameHash: UInt64 { forktailNameHash(name) }
}

/// A directory while its names are read.
package protocol OpenDirectory: AnyObject {
    /// What a name in it leads to, through symbolic links.
    func status(of name: UnsafeRawBufferPointer) -> FileStatus?
}

/// FNV-1a: no allocation for each of the thousand names of an idle directory.
package func forktailNameHash(_ name: UnsafeRawBufferPointer) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return hash
}

/// A name in a directory as a path.
func joined(_ directory: String, _ name: String) -> String {
    directory == "." ? name : directory.hasSuffix("/") ? directory + name : directory + "/" + name
}

// MARK: - Hints

/// The kernel's hints about directories and files.
///
/// A hint says where to look; nothing else is ever concluded from it.
package protocol DirectoryHints: AnyObject {
    /// Readable when a hint waits; -1 if there is nothing to poll.
    var descriptor: Int32 { get }

    /// Watches a directory for changes of its names and of the files behind them.
    func watch(directory path: String) throws(TailError) -> Int32

    /// Watches one file, which is reached by a symbolic link.
    func watch(file path: String) throws(TailError) -> Int32

    func unwatch(_ watch: Int32)

    /// Gives each hint that waits to `body`, with the name of the file that it is about.
    func drain(_ body: (DirectoryHint, UnsafeRawBufferPointer) -> Void)
}

package struct DirectoryHint: Sendable {
    package struct Change: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// A file was written to.
        package static let contents = Change(rawValue: 1)
        /// Names came, went or changed their rights.
        package static let names = Change(rawValue: 2)
        /// The directory itself has another name.
        package static let movedSelf = Change(rawValue: 4)
        /// The watch is gone.
        package static let ignored = Change(rawValue: 8)
        /// Hints were dropped.
        package static let overflow = Change(rawValue: 16)
    }

    package var watch: Int32
    package var change: Change

    package init(watch: Int32, change: Change) {
        self.watch = watch
        self.change = change
    }
}
