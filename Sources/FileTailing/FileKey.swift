/// What the kernel calls a file: its device and inode.
///
/// An inode number is used again once a file is gone, so a key says which file is open, and the
/// evidence in its bytes says which file it is.
package struct FileKey: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

extension FileKey: CustomStringConvertible {
    package var description: String { "\(device):\(inode)" }
}
