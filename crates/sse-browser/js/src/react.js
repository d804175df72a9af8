"use client";

// The React hooks, for React 18 and 19.

import * as React from "react";
import { createHooks } from "./hooks.js";

/** @typedef {import("./hooks.js").HookOptions} HookOptions */
/**
 * @template [Events=import("./types.js").SSEEvents]
 * @typedef {import("./hooks.js").UseSSE<Events>} UseSSE
 */

const hooks = createHooks(React);

export const useSSE = hooks.useSSE;
export const useNotifications = hooks.useNotifications;
