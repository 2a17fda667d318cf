internal import FileTailing

/// What happens to files and is counted, over all runs in the checkpoint database.
package enum FileCounter: String, Sendable, CaseIterable {
    /// Files that left their globs or lost their last name.
    case rotations
    /// Files whose bytes became others under the same inode.
    case truncations
    /// Bytes that vanished unread, because their file was truncated or overwritten.
    case abandonedByTruncation = "abandoned_bytes.truncated"
    /// Bytes that vanished unread, because their file was deleted before it could be opened.
    case abandonedByDeletion = "abandoned_bytes.deleted"
    /// Compressed files that could be read up to some place only.
    case damaged = "damaged_files"
    /// Sequences of bytes that stand for no character in their encoding.
    case replaced = "invalid_sequences"
    /// Times that the kernel dropped its hints.
    case overflows = "inotify_overflows"
    /// Times that a file could not be opened because no descriptor was left.
    case descriptorsExhausted = "descriptors_exhausted"
    /// Lines longer than `max_line` that lost their end, or were passed over.
    case linesCut = "lines_truncated"
    case linesSkipped = "lines_skipped"
    /// Kafka records that were found delivered after a restart, and not sent again.
    case passedOver = "records_passed_over"

    /// Whether lines that are read again count again.
    var isOfLines: Bool {
        switch self {
        case .replaced, .linesCut, .linesSkipped, .passedOver: true
        default: false
        }
    }
}

extension TailStateMachine {
    /// Where bytes count that were never read of a file that is over.
    var abandonedCounter: FileCounter { wasLost ? .abandonedByTruncation : .abandonedByDeletion }
}
