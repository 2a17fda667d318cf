internal import Glibc

/// The folder of a deployment's checkpoints, and the folders in it that belong to other clusters than
/// the process's own.
enum StateDirectories {
    private static let folder = "clusters"

    /// Where the checkpoints of a cluster live; nil is the process's own.
    static func directory(of cluster: String?, in directory: String) -> String {
        cluster.map { "\(directory)/\(folder)/\($0)" } ?? directory
    }

    /// Whether there are checkpoints of a cluster, as of one that was not the process's own.
    static func hold(_ cluster: String, in directory: String) -> Bool {
        access(self.directory(of: cluster, in: directory) + "/checkpoints.db", F_OK) == 0
    }

    /// The clusters of which there are checkpoints, the process's own first; that one alone where
    /// there are none.
    static func all(in directory: String) -> [(cluster: String?, path: String)] {
        let names = (try? directoryEntries("\(directory)/\(folder)")) ?? []
        let others = names.filter { !$0.hasPrefix(".") }.sorted()
        let found = ([nil] + others).map {
            (cluster: $0, path: self.directory(of: $0, in: directory))
        }
        .filter { access($0.path + "/checkpoints.db", F_OK) == 0 }
        return found.isEmpty ? [(nil, directory)] : found
    }
}
