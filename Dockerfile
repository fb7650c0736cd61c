# The images below bentos, and the one of a search:
#
#   serving           for bentos of a compiled model: BentoML and what a service needs
#   serving-sklearn   for bentos of a model that could not be compiled, and of plugins
#   training          for a search: all of modelyard
#
# `make image STAGE=serving` builds one. The classic builder suffices: there is no syntax of BuildKit here.
# BASE is any image of Debian's kind with Python 3.11, venv and pip; what is never run is taken out of it.
ARG BASE=python:3.11-slim-bookworm

# --- the system, without what only a person at a terminal needs ---
FROM ${BASE} AS trimmed
# LightGBM is the one package that brings all but its OpenMP
RUN ldconfig -p | grep -q libgomp.so.1 \
 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1; }
RUN rm -rf /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian /usr/share/python-wheels \
        /var/cache/* /var/lib/apt/lists/* /var/log/* /root/.cache /tmp/* \
 && for lib in /usr/lib/python3* /usr/local/lib/python3*; do \
        rm -rf "$lib/dist-packages" "$lib/site-packages" "$lib/ensurepip" "$lib/idlelib" "$lib/lib2to3" "$lib/test"; \
    done \
 && python3 -m compileall -q --invalidation-mode unchecked-hash \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && echo 'modelyard:x:1000:1000:modelyard:/tmp:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'modelyard:x:1000:' >> /etc/group

# an empty image takes one clean tree, so that what was removed is really gone
FROM scratch AS system
COPY --from=trimmed / /
# the root may be read-only and the user has no home: /tmp is the one place to write
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 1000:1000

# --- serving ---
# `modelyard image` adds the bento as one layer and nothing else
FROM system AS service
ENV BENTOML_DO_NOT_TRACK=True BENTOML_HOME=/tmp/bentoml
EXPOSE 3000
COPY requirements/serve.py /opt/modelyard/serve.py
ENTRYPOINT ["python", "/opt/modelyard/serve.py", "/opt/modelyard/bento", "--host", "0.0.0.0", "--port", "3000"]
# how long requests may go on after the drain
CMD ["--timeout-graceful-shutdown", "30"]

FROM ${BASE} AS build-serving
ENV UV_NO_CACHE=1 UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy PYTHONPATH=/opt/build
COPY requirements/lock.txt requirements/serving.txt requirements/trim.sh /requirements/
# uv and setuptools are for the build alone; one package comes as source only
RUN sed -n '/^\(uv\|setuptools\)==/,/[^\\]$/p' /requirements/lock.txt > /requirements/build.txt \
 && python3 -m pip install --quiet --no-cache-dir --no-deps --require-hashes --target /opt/build \
        -r /requirements/build.txt \
 && python3 -m venv --without-pip /opt/venv
RUN /opt/build/bin/uv pip install --quiet --python /opt/venv/bin/python --no-deps --require-hashes \
        --no-build-isolation -r /requirements/serving.txt \
 && sh /requirements/trim.sh /opt/venv

FROM service AS serving
COPY --from=build-serving /opt/venv /opt/venv
ARG LOCK
ARG PACKAGES
LABEL io.modelyard.lock=${LOCK} io.modelyard.packages=${PACKAGES}

# --- serving-sklearn ---
FROM build-serving AS build-serving-sklearn
COPY requirements/serving-sklearn.txt /requirements/
RUN /opt/build/bin/uv pip install --quiet --python /opt/venv/bin/python --no-deps --require-hashes \
        --no-build-isolation -r /requirements/serving-sklearn.txt \
 && sh /requirements/trim.sh /opt/venv

FROM service AS serving-sklearn
COPY --from=build-serving-sklearn /opt/venv /opt/venv
ARG LOCK
ARG PACKAGES
LABEL io.modelyard.lock=${LOCK} io.modelyard.packages=${PACKAGES}

# --- training ---
FROM build-serving-sklearn AS build-training
COPY requirements/training.txt /requirements/
RUN /opt/build/bin/uv pip install --quiet --python /opt/venv/bin/python --no-deps --require-hashes \
        --no-build-isolation -r /requirements/training.txt \
 && sh /requirements/trim.sh /opt/venv
COPY pyproject.toml README.md LICENSE /source/
COPY platform /source/platform
COPY tuning /source/tuning
COPY bentos /source/bentos
RUN /opt/build/bin/uv pip install --quiet --python /opt/venv/bin/python --offline --no-deps --no-build-isolation /source \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib/python3*/site-packages/modelyard*

FROM system AS training
COPY --from=build-training /opt/venv /opt/venv
ENV BENTOML_DO_NOT_TRACK=True BENTOML_HOME=/tmp/bentoml RAY_USAGE_STATS_ENABLED=0
ENTRYPOINT ["modelyard"]
CMD ["--help"]
ARG LOCK
ARG PACKAGES
LABEL io.modelyard.lock=${LOCK} io.modelyard.packages=${PACKAGES}
