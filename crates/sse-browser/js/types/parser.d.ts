/**
 * Creates a parser for one stream. The parser dispatches an event at the byte that ends its blank
 * line, which can be a CR. A block that the end of the stream cuts off is discarded together with
 * the parser.
 *
 * The parser keeps at most a few times `maxEventBytes`. An event that is longer is skipped, except
 * for its `id` and `retry`. A longer comment, or a longer line of a skipped event, is discarded.
 *
 * @param {ParserOptions} options
 * @returns {{ feed: (bytes: Uint8Array) => void }}
 */
export function createParser({ onEvent, onId, onRetry, onComment, onSkip, lastEventId, maxEventBytes, raw }: ParserOptions): {
    feed: (bytes: Uint8Array) => void;
};
/**
 * An event as the standard dispatches it.
 */
export type ParsedEvent = {
    /**
     * The event's type; `message` if the event has no type.
     */
    type: string;
    /**
     * The data lines, joined by LF.
     */
    data: string;
    /**
     * The id in this block.
     */
    id?: string | undefined;
    /**
     * The last event id at this event: its own or an inherited id.
     */
    lastEventId: string;
    /**
     * The lines of the block, comments included, each ended by LF; only with
     * the option `raw`. Comments that would make it longer than `maxEventBytes` are left out.
     */
    raw?: string | undefined;
};
/**
 * An event that was skipped because of its length.
 */
export type SkippedEvent = Pick<ParsedEvent, "id" | "lastEventId">;
export type ParserOptions = {
    onEvent: (event: ParsedEvent) => void;
    /**
     * Called when the last event id is set, with or without an
     * event; called before the event.
     */
    onId?: ((id: string) => void) | undefined;
    /**
     * Called at the end of a `retry` line.
     */
    onRetry?: ((milliseconds: number) => void) | undefined;
    /**
     * Called with the text after the colon, unchanged.
     */
    onComment?: ((text: string) => void) | undefined;
    /**
     * The last event id of an earlier stream.
     */
    lastEventId?: string | undefined;
    /**
     * Called instead of `onEvent` for an event of
     * more than `maxEventBytes`; at once if the event's id is known, else at the end of its block.
     */
    onSkip?: ((event: SkippedEvent) => void) | undefined;
    /**
     * Maximum length of a block in bytes of UTF-8, without line ends
     * and comments; default 4 Mi.
     */
    maxEventBytes?: number | undefined;
    /**
     * `true` if events keep their lines.
     */
    raw?: boolean | undefined;
};
