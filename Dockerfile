# Images for judging, without TensorFlow: "judge" has predict.py, "page" has serve.py too.
#   docker build --target judge -t deepfake-audio .
#   docker run --rm --network none --read-only --tmpfs /tmp --cap-drop ALL --memory 3g \
#       --security-opt no-new-privileges --pids-limit 256 -v "$PWD:/work:ro" deepfake-audio call.wav
FROM python:3.13-slim AS judge
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /app
COPY requirements-predict.txt ./
RUN pip install --no-cache-dir -r requirements-predict.txt
COPY config.yaml predict.py ./
COPY deepfake_audio/ deepfake_audio/
COPY models/pretrained/ models/pretrained/
RUN python predict.py --version
USER 10001:10001
WORKDIR /work
# The folder of recordings may hold a run of a stranger: the shipped model judges unless --run names one.
ENTRYPOINT ["python", "/app/predict.py", "--run", "/app/models/pretrained"]
CMD ["--help"]

FROM judge AS page
USER root
WORKDIR /app
COPY requirements-serve.txt ./
RUN pip install --no-cache-dir -r requirements-serve.txt
COPY serve.py ./
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
ENTRYPOINT ["python", "/app/serve.py", "--run", "/app/models/pretrained"]
CMD ["--host", "0.0.0.0"]
