/// An open file of a disk.
package protocol DiskFile: AnyObject, Sendable {
    /// Reads as `pread` does: fewer bytes than there is room for only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(TailError) -> Int
    /// What `fstat` says of it.
    func status() throws(TailError) -> FileStatus
    /// When it was made, in nanoseconds since 1970, where the file system tells.
    var birthTime: Int64? { get }
}
