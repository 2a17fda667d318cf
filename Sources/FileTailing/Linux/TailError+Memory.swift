import Glibc

extension TailError {
    /// A decoder got no memory; trying again later may help.
    static let noMemoryToDecompress = TailError(code: ENOMEM, path: "compressed content")
}
