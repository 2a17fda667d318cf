internal import FileTailing
internal import Glibc

/// The whole of an input that somebody named; `-` is standard input.
///
/// - Parameter command: the word for messages, as `try`.
/// - Throws: `ServiceError` (66) when it cannot be read, or has over 1 GiB in it.
func readWholeInput(_ file: String, for command: String, decompresses: Bool) throws -> WholeInput {
    let input: WholeInput?
    do {
        input = try WholeInput(
            readBytes(file, for: command),
            name: file,
            decompresses: decompresses,
            limit: longestInput
        )
    } catch let error as TailError {
        throw NamedFile(file).unreadable(error.code)
    }
    guard let input else {
        throw ServiceError(.noInput, "\(file) has over 1 GiB in it; \(command) a part of it")
    }
    return input
}

private let longestInput = 1 << 30

private func readBytes(_ file: String, for command: String) throws -> [UInt8] {
    let named = NamedFile(file == "-" ? "standard input" : file)
    if file != "-", try named.kind() == .folder {
        throw ServiceError(.noInput, "\(file) is a folder; `\(command)` takes one file")
    }
    let descriptor = file == "-" ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw named.unreadable(errno) }
    defer { if descriptor != STDIN_FILENO { close(descriptor) } }
    guard let bytes = try readAll(descriptor, of: named, limit: longestInput) else {
        throw ServiceError(.noInput, "\(file) is over 1 GiB; \(command) a part of it")
    }
    return bytes
}
