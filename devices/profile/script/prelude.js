// Makes the global object of a codec: deterministic, and bounded where the
// engine cannot interrupt itself.
(function (limit, freeze) {
  "use strict";
  var global = globalThis;

  ["eval", "Proxy", "Reflect", "WeakRef", "FinalizationRegistry", "Promise", "AggregateError"].forEach(function (name) {
    delete global[name];
  });
  // Function constructors are eval by another name.
  [function () {}, function* () {}, async function () {}].forEach(function (f) {
    Object.defineProperty(Object.getPrototypeOf(f), "constructor", { value: undefined });
  });
  delete global.Function;

  function bounded(n) {
    if (n > limit) {
      throw new RangeError("more than " + limit + " elements");
    }
  }
  var apply = Function_apply(function () {}.apply);
  function Function_apply(nativeApply) {
    var call = function () {}.call;
    var uncurried = call.bind(nativeApply);
    return function (f, self, args) { return uncurried(f, self, args); };
  }
  function replace(object, name, make) {
    var native = object[name];
    if (typeof native !== "function") {
      return;
    }
    var f = make(native);
    Object.defineProperty(f, "name", { value: name });
    Object.defineProperty(object, name, { value: f, writable: true, configurable: true, enumerable: false });
  }

  // Natives that loop over a length.
  ["join", "toString", "toLocaleString", "fill", "indexOf", "lastIndexOf", "includes", "reverse", "sort", "concat",
    "slice", "splice", "flat", "copyWithin", "map", "filter", "forEach", "some", "every", "reduce", "reduceRight",
    "find", "findIndex", "findLast", "findLastIndex", "flatMap", "shift", "unshift", "toReversed", "toSorted", "toSpliced", "with"
  ].forEach(function (name) {
    replace(Array.prototype, name, function (native) {
      return function () {
        bounded(this.length);
        return apply(native, this, arguments);
      };
    });
  });
  ["repeat", "padStart", "padEnd"].forEach(function (name) {
    replace(String.prototype, name, function (native) {
      return function (n) {
        bounded(name === "repeat" ? n * String(this).length : n);
        return apply(native, this, arguments);
      };
    });
  });
  replace(Object.getPrototypeOf(function () {}), "apply", function () {
    return function (self, args) {
      bounded(args ? args.length : 0);
      return apply(this, self, args === undefined || args === null ? [] : args);
    };
  });
  replace(Array, "from", function (native) {
    return function (items) {
      bounded(items ? items.length : 0);
      return apply(native, this, arguments);
    };
  });
  replace(String, "raw", function (native) {
    return function (strings) {
      bounded(strings && strings.raw ? strings.raw.length : 0);
      return apply(native, this, arguments);
    };
  });
  replace(JSON, "parse", function (native) {
    return function (text) {
      bounded(String(text).length * 16);
      return apply(native, JSON, arguments);
    };
  });

  // Constructors that allocate by number.
  function construct(Native) {
    function F() {
      if (arguments.length > 0 && typeof arguments[0] !== "object") {
        bounded(arguments[0]);
      } else if (arguments.length > 0 && arguments[0] !== null) {
        bounded(arguments[0].length);
      }
      switch (arguments.length) {
        case 0: return new Native();
        case 1: return new Native(arguments[0]);
        case 2: return new Native(arguments[0], arguments[1]);
        case 3: return new Native(arguments[0], arguments[1], arguments[2]);
      }
      return Native.of.apply(Native, arguments);
    }
    Object.setPrototypeOf(F, Native);
    Object.getOwnPropertyNames(Native).forEach(function (name) {
      if (name !== "length" && name !== "name") {
        Object.defineProperty(F, name, Object.getOwnPropertyDescriptor(Native, name));
      }
    });
    Object.defineProperty(F, "name", { value: Native.name });
    Object.defineProperty(F.prototype, "constructor", { value: F, writable: true, configurable: true });
    global[Native.name] = F;
    Object.defineProperty(global, Native.name, { enumerable: false });
  }
  [Array, ArrayBuffer, Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
    Float32Array, Float64Array].forEach(construct);

  // The zone is UTC wherever the daemon runs.
  var NativeDate = Date, utc = NativeDate.UTC, parse = NativeDate.parse, proto = NativeDate.prototype;
  function zoned(text) {
    if (/^\d{4}-\d\d-\d\dT[\d:.]+$/.test(text)) {
      return text + "Z";
    }
    return /(Z|GMT|UTC|[+-]\d\d:?\d\d)\s*(\(.*\))?$/.test(text) || /^\d{4}(-\d\d(-\d\d)?)?$/.test(text) ? text : text + " UTC";
  }
  function UTCDate(a, b, c, d, e, f, g) {
    if (!new.target) {
      return new NativeDate().toUTCString();
    }
    switch (arguments.length) {
      case 0: return new NativeDate();
      case 1: return new NativeDate(typeof a === "string" ? parse(zoned(a)) : a);
      default: return new NativeDate(apply(utc, NativeDate, arguments));
    }
  }
  UTCDate.prototype = proto;
  UTCDate.UTC = utc;
  UTCDate.now = NativeDate.now;
  UTCDate.parse = function (text) { return parse(zoned(String(text))); };
  Object.defineProperty(UTCDate, "name", { value: "Date" });
  Object.defineProperty(proto, "constructor", { value: UTCDate });
  ["Date", "Day", "FullYear", "Hours", "Minutes", "Seconds", "Milliseconds", "Month"].forEach(function (part) {
    ["get", "set"].forEach(function (verb) {
      if (proto[verb + "UTC" + part]) {
        Object.defineProperty(proto, verb + part, { value: proto[verb + "UTC" + part] });
      }
    });
  });
  function text(from, to) {
    return function () { return this.toISOString().slice(from, to); };
  }
  var words = {
    getTimezoneOffset: function () { return 0; },
    getYear: function () { return this.getUTCFullYear() - 1900; },
    toString: proto.toUTCString, toLocaleString: proto.toUTCString,
    toDateString: text(0, 10), toLocaleDateString: text(0, 10),
    toTimeString: text(11, 19), toLocaleTimeString: text(11, 19)
  };
  Object.keys(words).forEach(function (name) {
    Object.defineProperty(proto, name, { value: words[name] });
  });
  Object.defineProperty(global, "Date", { value: UTCDate, enumerable: false });

  var silent = {};
  ["log", "info", "warn", "error", "debug", "trace"].forEach(function (name) { silent[name] = function () {}; });
  Object.defineProperty(global, "console", { value: Object.freeze(silent), enumerable: false });

  // What one message does to the built-ins must not reach the next. The
  // prototypes of Object and Error stay writable, because codecs shadow their
  // members ("toString", "name", "message"), but nothing can be added to them.
  (freeze ? ["Array", "ArrayBuffer", "Boolean", "DataView", "Date", "Float32Array", "Float64Array", "Int16Array", "Int32Array", "Int8Array",
    "JSON", "Map", "Math", "Number", "RegExp", "Set", "String", "Symbol", "Uint16Array", "Uint32Array", "Uint8Array",
    "Uint8ClampedArray", "WeakMap", "WeakSet"] : []).forEach(function (name) {
    var object = global[name];
    if (object && object.prototype) {
      Object.freeze(object.prototype);
    }
    if (object) {
      Object.freeze(object);
    }
  });
  if (freeze) {
    Object.freeze(Object.getPrototypeOf(Uint8Array.prototype));
    Object.freeze(Object.getPrototypeOf(function () {}));
    Object.preventExtensions(Object.prototype);
    Object.preventExtensions(Error.prototype);
    Object.freeze(Object);
  }

  var stringify = JSON.stringify, ToString = String;
  return {
    // call runs the top level of a codec and its entry.
    call: function (factory, api, bytes, port, received, variables) {
      var module = { exports: {} };
      var entries = factory(module, module.exports);
      var own = module.exports || {};
      function entry(name) {
        return typeof entries[name] === "function" ? entries[name] : typeof own[name] === "function" ? own[name] : null;
      }
      var f;
      if ((api === "ts013" || api === "auto") && (f = entry("decodeUplink"))) {
        var out = f({ bytes: bytes, fPort: port, recvTime: new NativeDate(received), variables: variables });
        if (out === null || typeof out !== "object") {
          return { error: "decodeUplink returned no object" };
        }
        if (out.errors && out.errors.length > 0) {
          return { error: ToString(out.errors[0]) };
        }
        return result(out.data, out.warnings);
      }
      if ((api === "chirpstack3" || api === "auto") && (f = entry("Decode"))) {
        return result(f(port, bytes, variables));
      }
      if ((api === "ttn2" || api === "auto") && (f = entry("Decoder"))) {
        return result(f(bytes, port));
      }
      return { error: "no function to call: decodeUplink, Decode or Decoder" };
    },
    has: function (factory, api) {
      var module = { exports: {} };
      var entries = factory(module, module.exports), own = module.exports || {};
      return { ts013: ["decodeUplink"], chirpstack3: ["Decode"], ttn2: ["Decoder"], auto: ["decodeUplink", "Decode", "Decoder"] }[api].some(function (name) {
        return typeof entries[name] === "function" || typeof own[name] === "function";
      });
    }
  };

  function result(data, warnings) {
    if (data === null || typeof data !== "object") {
      return { error: "the codec returned no object" };
    }
    var json = stringify(data);
    if (json === undefined) {
      return { error: "the codec returned no object" };
    }
    var list = [];
    if (warnings && warnings.length) {
      for (var i = 0; i < warnings.length && i < 16; i++) {
        list.push(ToString(warnings[i]));
      }
    }
    return { json: json, warnings: list };
  }
})
