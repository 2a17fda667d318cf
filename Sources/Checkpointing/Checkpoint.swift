/// A place in a file up to which everything is settled.
///
/// It always lies at a record's edge, so reading may begin here after any restart.
package struct Checkpoint: Equatable, Sendable {
    /// Bytes of the file that need never be read again.
    package var offset: Int64
    /// Physical lines before ``offset``.
    package var line: Int64
    /// The framer's state at ``offset``; opaque here.
    package var framerState: Int64
    /// Up to 64 bytes before ``offset``, to recognise the file by.
    package var guardBytes: [UInt8]

    package init(
        offset: Int64,
        line: Int64 = 0,
        framerState: Int64 = 0,
        guardBytes: [UInt8] = []
    ) {
        self.offset = offset
        self.line = line
        self.framerState = framerState
        self.guardBytes = guardBytes
    }
}
