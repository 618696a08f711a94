/* cuBLAS and cuDNN, which are not linked but loaded when the first op needs them: together they
 * are most of a short run's start, and a net of fused kernels alone needs neither. The functions
 * used are listed here, once, and called through pointers of their names, mg__cudnn.cudnnCreate. */
#ifndef MG_CUDA_LIBRARIES_H
#define MG_CUDA_LIBRARIES_H

#include <cublas_v2.h>
#include <cudnn.h>

#define MG_CUBLAS_CALLS(CALL)                                                                      \
    CALL(cublasCreate)                                                                             \
    CALL(cublasDestroy)                                                                            \
    CALL(cublasGetProperty)                                                                        \
    CALL(cublasGetStatusName)                                                                      \
    CALL(cublasSetMathMode)                                                                        \
    CALL(cublasSetStream)                                                                          \
    CALL(cublasSetWorkspace)                                                                       \
    CALL(cublasSgemm)

#define MG_CUDNN_CALLS(CALL)                                                                       \
    CALL(cudnnConvolutionBackwardData)                                                             \
    CALL(cudnnConvolutionBackwardFilter)                                                           \
    CALL(cudnnConvolutionForward)                                                                  \
    CALL(cudnnCreate)                                                                              \
    CALL(cudnnCreateConvolutionDescriptor)                                                         \
    CALL(cudnnCreateFilterDescriptor)                                                              \
    CALL(cudnnCreatePoolingDescriptor)                                                             \
    CALL(cudnnCreateTensorDescriptor)                                                              \
    CALL(cudnnDestroy)                                                                             \
    CALL(cudnnDestroyConvolutionDescriptor)                                                        \
    CALL(cudnnDestroyFilterDescriptor)                                                             \
    CALL(cudnnDestroyPoolingDescriptor)                                                            \
    CALL(cudnnDestroyTensorDescriptor)                                                             \
    CALL(cudnnGetConvolutionBackwardDataAlgorithm_v7)                                              \
    CALL(cudnnGetConvolutionBackwardDataWorkspaceSize)                                             \
    CALL(cudnnGetConvolutionBackwardFilterAlgorithm_v7)                                            \
    CALL(cudnnGetConvolutionBackwardFilterWorkspaceSize)                                           \
    CALL(cudnnGetConvolutionForwardAlgorithm_v7)                                                   \
    CALL(cudnnGetConvolutionForwardWorkspaceSize)                                                  \
    CALL(cudnnGetErrorString)                                                                      \
    CALL(cudnnGetLastErrorString)                                                                  \
    CALL(cudnnGetVersion)                                                                          \
    CALL(cudnnPoolingBackward)                                                                     \
    CALL(cudnnPoolingForward)                                                                      \
    CALL(cudnnSetConvolution2dDescriptor)                                                          \
    CALL(cudnnSetConvolutionMathType)                                                              \
    CALL(cudnnSetFilter4dDescriptor)                                                               \
    CALL(cudnnSetPooling2dDescriptor)                                                              \
    CALL(cudnnSetStream)                                                                           \
    CALL(cudnnSetTensor4dDescriptor)

/* A function's symbol as text: NVIDIA's headers define some of the names as cublas..._v2. */
#define MG_SYMBOL(call)  MG_SYMBOL_(call)
#define MG_SYMBOL_(call) #call

#endif
