import Glibc

/// The kernel's own words for an `errno` value.
package func systemErrorText(_ code: CInt) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}

/// The folder that relative paths start from.
func workingDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "/" }
    defer { free(path) }
    return String(cString: path)
}

/// Makes a folder and those above it that are not there, for this user alone.
///
/// - Throws: `ServiceError` (73).
func makeDirectories(_ path: String) throws {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
        made += "/" + part
        guard mkdir(made, 0o700) != 0, errno != EEXIST else { continue }
        throw ServiceError(
            .cannotCreate,
            "the state directory \(path) cannot be made: \(systemErrorText(errno));"
                + " choose another with --state-dir"
        )
    }
}
