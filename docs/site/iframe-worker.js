// A browser starts no worker from a file. The search of the theme asks for one, and gets a frame that answers like one.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inside = frame.contentWindow
      inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      inside.importScripts = (...urls) => urls.reduce((before, each) => before.then(() => loaded(each)), Promise.resolve())
      const loaded = each => new Promise((done, failed) => {
        const script = inside.document.createElement("script")
        script.src = new URL(each, address).href
        script.onload = done
        script.onerror = failed
        inside.document.head.append(script)
      })
      const address = new URL(url, document.baseURI)
      this.inside = inside
      this.ready = loaded(address)
    }
    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })))
    }
    terminate() {}
  }
}
