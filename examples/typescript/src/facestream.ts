/** A client of Facestream's HTTP API: `fetch` and nothing else. */

export interface FaceAnswer {
  face_detected: true;
  confidence: number;
  bbox: [x1: number, y1: number, x2: number, y2: number];
}

export interface EmbeddingAnswer extends FaceAnswer {
  embedding: number[];
}

/** Some of its fields; what could not be measured is null. */
export interface AnalysisAnswer extends EmbeddingAnswer {
  age: number | null;
  gender: "male" | "female" | null;
  expression: { dominant: string; confidence: number } | null;
  pose: { yaw: number; pitch: number; roll: number } | null;
}

export interface ComparisonAnswer {
  similarity: number;
  distance: number;
}

/** Every answer that is none: `code` is for programs, `message` for people. */
export class FacestreamError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string,
    readonly retryAfterS: number | null,
  ) {
    super(message);
  }
}

export class Facestream {
  constructor(
    private readonly url: string,
    private readonly key: string,
    private readonly attempts = 3,
  ) {}

  verify = (image: Blob) => this.send<FaceAnswer>("verify-face", form(image));
  embed = (image: Blob) => this.send<EmbeddingAnswer>("extract-embedding", form(image));
  analyze = (image: Blob) => this.send<AnalysisAnswer>("analyze-face-advanced", form(image));
  compare = (a: number[], b: number[]) =>
    this.send<ComparisonAnswer>("compare-faces", JSON.stringify({ embedding_a: a, embedding_b: b }));

  /** Waits and asks again where the service says when: too many requests, or no room. */
  private async send<T>(route: string, body: FormData | string): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.post<T>(route, body);
      } catch (error) {
        const waitS = error instanceof FacestreamError ? error.retryAfterS : null;
        if (waitS === null || attempt === this.attempts) throw error;
        await new Promise((resolve) => setTimeout(resolve, 1000 * waitS));
      }
    }
  }

  private async post<T>(route: string, body: FormData | string): Promise<T> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.key}` };
    if (typeof body === "string") headers["Content-Type"] = "application/json";
    const response = await fetch(`${this.url}/api/v1/${route}`, { method: "POST", headers, body });
    const answer = await response.json();
    if (response.ok) return answer as T;
    const retryAfter = response.headers.get("Retry-After");
    throw new FacestreamError(
      response.status,
      answer.code,
      answer.error,
      answer.request_id,
      retryAfter === null ? null : Number(retryAfter),
    );
  }
}

function form(image: Blob): FormData {
  const data = new FormData();
  data.append("file", image);
  return data;
}
